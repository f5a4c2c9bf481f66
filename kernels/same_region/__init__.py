"""How much two patches belong to one region: ResCLIP's semantic map."""
