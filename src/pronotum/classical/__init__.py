"""The image-processing method the paper compares with: landmarks of a reference specimen carried over by its outline.

Needs OpenCV: `pip install "pronotum[classical]"`. One module per step, each step a pure function; `transfer` puts them
together.

Source:
    Le et al. (2020) section 6; Palaniswamy et al. (2010); MAELab. Spec C.
"""
