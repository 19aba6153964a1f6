"""Migrations of a schema that was never released: they show that the way of migrating works."""
