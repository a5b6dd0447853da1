"""The review desk: look, correct, annotate and retrain in the browser. See docs/desk.md."""
