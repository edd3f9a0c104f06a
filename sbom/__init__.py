"""Bills of material: what is in each image and each environment, under which licence."""
