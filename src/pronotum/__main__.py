"""``python -m pronotum``: the same command line, as ``torchrun -m pronotum`` needs it."""

from pronotum.cli import main

if __name__ == "__main__":
    main()
