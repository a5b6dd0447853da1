"""How far predictions are from manual landmarks, beside the baselines."""
