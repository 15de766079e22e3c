"""What the measures of stress families are called, what each one says, and how it is printed."""

from __future__ import annotations

import re

from reports.measure_words import Measure
from reports.words import fmr_label

_AT_FMR = re.compile(r"(?:_at)?_(?:([1-9])e[-_]([1-9])|\{fmr\})$")
_GREY = "grey levels"
_OF_PICTURES = "pictures_"

MEASURES = {
    "shift": Measure(
        "Similarity to the clean template",
        "Of the template under stress, in the backbone's own measure: cosine, or minus the L2 "
        "distance. The higher, the less has moved.",
    ),
    # covered faces
    "error_inside": Measure(
        "Error under the cover",
        "Mean absolute error of the rebuilt face against the clean picture where it was covered.",
        _GREY,
        "lower",
    ),
    "error_outside": Measure(
        "Error beside the cover", "The same in the rest of the face.", _GREY, "lower"
    ),
    "error_inside_clean": Measure(
        "The same place, clean template",
        "The error there of what is rebuilt from the clean template.",
        _GREY,
        "lower",
    ),
    "error_outside_clean": Measure(
        "Beside it, clean template", "The same in the rest of the face.", _GREY, "lower"
    ),
    "error_inside_change": Measure(
        "Change under the cover", "The paired difference of these two.", _GREY, "lower"
    ),
    "error_outside_change": Measure(
        "Change beside the cover", "The same in the rest of the face.", _GREY, "lower"
    ),
    "error_inside_to_first": Measure(
        "Under the cover, less the first decoder's", "Paired difference.", _GREY, "lower"
    ),
    "error_outside_to_first": Measure(
        "Beside the cover, less the first decoder's", "Paired difference.", _GREY, "lower"
    ),
    "error_face_to_first": Measure(
        "Over the face, less the first decoder's", "Paired difference.", _GREY, "lower"
    ),
    "error_face": Measure("Error over the face", "", _GREY, "lower"),
    "landmark_error": Measure(
        "Landmark error",
        "Mean squared error of the 68 points found in the rebuilt face, where a face was found.",
        "px²",
        "lower",
    ),
    "loss": Measure(
        "Similarity lost", "Of the template to the clean one, when a place is covered."
    ),
    "loss_eyes": Measure("Similarity lost, eyes", ""),
    "loss_mouth": Measure("Similarity lost, mouth", ""),
    "loss_face": Measure("Similarity lost, face", ""),
    "loss_outside": Measure("Similarity lost, outside the face", ""),
    # turned, shifted and scaled faces, and damaged templates
    "explained": Measure(
        "Explained by the repair",
        "Share of the variance of clean templates that the repaired ones hold; 0 is the mean for "
        "everybody, 1 is all.",
        better="higher",
    ),
    "realised_fmr": Measure(
        "Strangers accepted", "At the row's own threshold, among the leaked people.", kind="rate"
    ),
    "deployed_tmr": Measure(
        "TMR, threshold unmoved",
        "At the usual threshold, which a matcher in use does not move for a turned face.",
        kind="rate",
    ),
    "deployed_fmr": Measure("Strangers, threshold unmoved", "As above.", kind="rate"),
    "clean_similarity": Measure(
        "Rebuilt face to the clean template",
        "Mean similarity, by the backbone itself, whether or not a face was found.",
        better="higher",
    ),
    "dimensions_matched": Measure(
        "Dimensions found",
        "Share of the leaked dimensions that the attacker took for what they are, by statistics; "
        "n counts dimensions, and the interval takes them for independent, so it is too narrow "
        "where they are not.",
        kind="rate",
    ),
    # several pictures
    "roc_auc": Measure("Area under the ROC", "", better="higher"),
    "length_ratio": Measure("Length of the average", "Over the mean length of single templates."),
    "among_pictures": Measure("Alike among pictures", "Mean similarity of one person's pictures."),
    "among_templates": Measure("Alike among templates", "Of the templates held of one person."),
    "among_reconstructions": Measure("Alike among rebuilt faces", "Of one person's rebuilt faces."),
    "yaw": Measure("Yaw", "How far the head is turned aside.", "degrees", "lower"),
    "roll": Measure("Roll", "How far the head is tilted.", "degrees", "lower"),
    "mse_to_mean_shape": Measure(
        "From the mean shape", "Squared distance of the landmarks to the mean face.", "px²"
    ),
    "mouth_opening": Measure("Mouth opening", "Gap between the inner lips.", "px"),
    # poor pictures
    "psnr_reconstruction": Measure(
        "PSNR of the rebuilt face", "Against the clean picture.", "dB", "higher"
    ),
    "psnr_source": Measure("PSNR of the poor picture", "The same.", "dB", "higher"),
    "gain_over_source": Measure(
        "Nearer than the source",
        "The first less the second, paired: above 0 the rebuilt face is nearer to the clean "
        "picture than the poor picture was.",
        "dB",
        "higher",
    ),
    "sharpness_reconstruction": Measure(
        "Sharpness of the rebuilt face", "Variance of the Laplacian; noise counts as detail too."
    ),
    "sharpness_source": Measure("Sharpness of the poor picture", ""),
    "sharpness_clean": Measure("Sharpness of the clean picture", ""),
    # invariance
    "same_pictures": Measure("Pictures of one person", "Mean similarity of two of them."),
    "same_reconstructions": Measure(
        "Rebuilt faces of one person", "Mean similarity of two faces rebuilt from them."
    ),
    "same_difference": Measure("More alike when rebuilt", "The latter less the former, paired."),
    "others_pictures": Measure("Pictures of two people", "Mean similarity."),
    "others_reconstructions": Measure("Rebuilt faces of two people", "Mean similarity."),
    "normalised": Measure(
        "Normalised",
        "1 where nothing is left of a person's spread in pose, light and expression while people "
        "still differ, 0 where it is as in the pictures, below 0 where more was lost of people.",
        better="higher",
    ),
    "normalised_pose": Measure("Normalised, pose", "", better="higher"),
    "normalised_light": Measure("Normalised, light", "", better="higher"),
    "normalised_expression": Measure("Normalised, expression", "", better="higher"),
    "normalised_templates": Measure("Normalised, templates", "", better="higher"),
    # adversarial noise
    "impersonation": Measure(
        "Impersonation",
        "Share accepted as the person that was aimed at, against pictures that the noise was not "
        "made for.",
        kind="rate",
    ),
    "impersonation_of_template": Measure(
        "Impersonation, same template", "Against the very template that was aimed at.", kind="rate"
    ),
    "evasion": Measure(
        "Evasion",
        "Share refused as their own, against pictures that the noise was not made for.",
        kind="rate",
    ),
    "evasion_of_template": Measure(
        "Evasion, same template", "Against the template that the noise was made for.", kind="rate"
    ),
    "first_is_goal": Measure("Most likely: the goal", "In a softmax over the people.", kind="rate"),
    "first_is_own": Measure("Most likely: the person", "The same.", kind="rate"),
    **{
        f"probability_{who}_{when}": Measure(f"Probability of {whom}, {words}", "", kind="rate")
        for who, whom in (("goal", "the goal"), ("own", "the person"))
        for when, words in (("before", "clean"), ("after", "attacked"), ("decoded", "decoded"))
    },
    "l2": Measure("Size of the noise, L2", "Pixel values in [0, 1]."),
    "linf": Measure("Size of the noise, most", "In 255ths."),
    "decoded_impersonation": Measure(
        "Impersonation, decoded", "Share of decoded pictures accepted as the goal.", kind="rate"
    ),
    "recovered": Measure(
        "Given back by decoding",
        "Accepted when decoded less accepted as is, paired.",
        kind="margin",
    ),
    "fall_difference": Measure(
        "Less lost when decoded",
        "Fall of the TMR by the noise less its fall among decoded pictures. Decoding alone costs "
        "acceptance, and who has less can lose less: see what is given back by decoding.",
        kind="margin",
    ),
    "change": Measure("Change of the template", "Its length over that of the template."),
    "angle": Measure("Change of the template, angle", "", "degrees"),
    "flipped": Measure("Turned", "Share of the templates that had to be changed.", kind="rate"),
    "scale": Measure("Scale of the softmax", ""),
}
"""By name; one that is not here keeps its name in words."""


def measure_words(name: str) -> Measure:
    """What a measure is called and how it is printed; a name may end in an FMR, as in
    ``realised_fmr_1e_3``, and begin with whose it is, as in ``pictures_yaw``."""
    at = _AT_FMR.search(name)
    if at is not None:
        base = measure_words(name[: at.start()])
        where = f", FMR {fmr_label(f'{at[1]}e-{at[2]}')}" if at[1] else ""
        return _renamed(base, base.name + where)
    if name in MEASURES:
        return MEASURES[name]
    if name.startswith(_OF_PICTURES) and name.removeprefix(_OF_PICTURES) in MEASURES:
        base = MEASURES[name.removeprefix(_OF_PICTURES)]
        return _renamed(base, f"{base.name}, of the pictures")
    words = name.replace("_", " ")
    return Measure(words[:1].upper() + words[1:], "")


def _renamed(measure: Measure, name: str) -> Measure:
    return Measure(name, measure.says, measure.unit, measure.better, measure.kind)
