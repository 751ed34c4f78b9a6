"""The organism: a small world, the models that learn it, and the recipe that makes them."""
