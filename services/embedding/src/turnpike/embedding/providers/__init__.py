"""The models that others run."""
