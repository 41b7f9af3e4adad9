"""Other programs' ways in: each module lets one framework use what is here, as its own."""
