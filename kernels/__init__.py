"""The ops, one folder each: maths in README.md, specification in reference.py, implementations beside."""
