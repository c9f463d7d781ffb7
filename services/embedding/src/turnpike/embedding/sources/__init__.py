"""Sources: folders of collections that are kept as connectors' resources are."""
