"""Skills: instructions that models load when they need them."""
