"""What phrases of each kind of image must give, where a network was taught every target of the prompt library."""

NEGATED = {
    "xray": ("no clavicles", "teeth without the jaw", "femur but not the tibia"),
    "us": ("thyroid nodule without calcification", "no fetal head", "everything except the carotid"),
    "endoscopy": (
        "oesophagus without Barrett's mucosa",
        "no suspicious area",
        "larynx excluding the vocal folds",
    ),
    "ct": ("no haemorrhage", "kidney stone-free", "liver without its vessels", "kein Nierenstein"),
    "mri": ("heart without the aorta", "no lesion", "spine minus the discs", "sans tumeur de la prostate"),
    "fundus": ("no optic disc", "retina without vessels", "everything but the cup"),
    "microscopy": ("white blood cells without their nucleus", "no nuclei"),
    "photo": ("foot without ulcer", "no wound"),
}

UNKNOWN = {
    "xray": {"enamel": "", "caries": "", "patella fracture": "", "dental implant": "implant"},
    "us": {
        "internal carotid artery": "internal", "jugular vein": "jugular", "fetal brain": "fetal brain",
        "fetal abdomen": "fetal abdomen", "fetal femur": "fetal femur", "parathyroid": "",
    },
    "endoscopy": {
        "epiglottis": "", "false vocal cords": "false", "low-grade dysplasia": "low-grade dysplasia",
        "nasal polyp": "nasal", "tonsil": "",
    },
    "ct": {
        "gallstone": "", "renal pelvis": "renal pelvis", "left main bronchus": "", "hepatic veins": "hepatic veins", "stroke volume": "stroke volume", "white matter": "white matter",
        "liver of a dog": "dog",
    },
    "mri": {
        "thalamus": "", "amygdala": "", "spinal cord": "spinal cord", "white matter": "white matter",
        "herniated disc": "herniated", "papillary muscle": "papillary", "pulmonary vein": "pulmonary vein",
        "blood pool": "blood pool", "nucleus pulposus": "nucleus pulposus",
    },
    "fundus": {
        "fovea": "", "macula": "", "iris": "", "optic nerve": "optic nerve", "retinal artery": "retinal artery",
        "retinal arteries": "retinal arteries", "retinal veins": "retinal veins",
    },
    "microscopy": {
        "red blood cells": "red", "cell membrane": "cell membrane", "nucleolus": "", "platelets": "",
        "caudate nucleus": "caudate", "tumour cells": "tumour cells",
    },
    "photo": {"leg ulcer": "leg", "pressure ulcer": "pressure ulcer", "toe": "", "foot of a horse": "horse"},
}  # fmt: skip
"""By phrase: what the refusal names; "" where the phrase names nothing that is known."""

PARTS = {
    "xray": ("molars", "wisdom tooth", "tooth 36", "roots of the teeth", "upper teeth", "left clavicle", "shaft of the femur"),
    "us": ("left thyroid lobe", "left carotid artery", "wall of the carotid artery"),
    "endoscopy": ("left vocal cord", "one vocal fold", "tip of the instrument", "right vocal fold"),
    "ct": (
        "left upper lobe", "L5 vertebra", "left kidney stone", "tumour in the left kidney", "right lung tumour",
        "left subdural haematoma", "segment 4 of the liver",
    ),
    "mri": (
        "mitral valve", "aortic valve", "interventricular septum", "L5 vertebra", "L4/L5 disc", "atrium", "ventricle",
        "third ventricle", "left lateral ventricle", "left hippocampus", "tail of the hippocampus",
        "left pulmonary artery", "peripheral zone of the prostate", "apex of the left ventricle",
    ),
    "fundus": ("left optic disc", "upper half of the optic disc", "border of the lower rim"),
    "microscopy": ("largest nucleus", "edge of the white blood cell"),
    "photo": ("left foot ulcer", "edge of the wound"),
}  # fmt: skip

SURROUNDINGS = {
    "xray": ("jaw", "mandible", "shoulder", "sternum", "tibia", "knee", "ribs", "joint space"),
    "us": ("thyroid", "the thyroid on this sonogram", "fetus", "womb", "intima"),
    "endoscopy": ("larynx", "mucosa"),
    "mri": ("prostate", "segment the prostate on this MRI", "temporal"),
    "fundus": ("retina", "eye", "glaucoma"),
    "microscopy": ("blood", "cell", "cells", "erythrocyte", "lymphocyte"),
    "photo": ("foot", "skin"),
}

NO_SINGLE_TARGET = {
    "ct": (
        "hepatic artery",
        "renal artery",
        "blood in the liver",
        "infarct in the kidney",
        "kidney cyst",
        "haemorrhage in the left ventricle",
    ),
    "endoscopy": ("polyp of the vocal cord", "rectal cancer"),
    "fundus": ("haemorrhage in the retina",),
}

ELSEWHERE = {
    "xray": ("left femur", "kidney stone", "optic disc"),
    "us": ("liver", "kidney stone", "left ventricle", "suspicious area"),
    "endoscopy": ("oesophagus", "suspicious mass in the liver", "foot ulcer"),
    "ct": (
        "femur",
        "vertebrae",
        "lung nodule",
        "suspicious area",
        "please show the suspicious area",
        "thyroid nodule",
    ),
    "mri": ("liver", "colon", "bowel just after the stomach", "epidural haematoma"),
    "fundus": ("lungs", "rim", "white blood cell"),
    "microscopy": ("skin lesion", "retinal vessels"),
    "photo": ("skin lesion", "polyp"),
}

ANSWERED = {
    "xray": (
        "clavicles", "please outline both clavicles", "collarbones on a chest film", "femur", "where is the femur?",
        "distal femur on a knee X-ray", "teeth", "all teeth on this OPG", "molars and incisors",
    ),
    "us": (
        "thyroid nodule", "nodule in the thyroid", "fetal head", "head of the baby", "carotid", "carotid vessel",
        "artery in a neck ultrasound", "liver lesion", "show the lesion in the liver",
    ),
    "endoscopy": (
        "Barrett's oesophagus", "cancer", "gastric cancer", "dysplasia", "dysplastic lesion", "HGD", "suspicious area",
        "please show the suspicious area", "show me the suspicious area, please", "suspicious lesion", "vocal cords",
        "glottis", "tumour of the vocal fold", "tumour of the larynx", "surgical instrument", "forceps",
        "endotracheal tube",
    ),
    "ct": (
        "haemorrhage in a head CT", "brain bleed", "blood in the brain", "blood in the ventricles", "EDH",
        "acute ischaemic stroke", "ischaemic infarct", "hepatic vessels", "liver vessels", "renal mass",
        "renal cell carcinoma", "kidney stone", "renal calculus", "lung cancer", "left femur", "liver lesion",
    ),
    "mri": (
        "MS plaques", "white matter lesions", "lesion in the white matter", "left ventricle", "LV", "RV cavity",
        "right atrium", "left atrium on the MRI", "left ventricular wall", "pulmonary artery", "superior vena cava",
        "bowel", "hippocampus", "head of the hippocampus", "posterior hippocampus", "lumbar discs", "spinal canal",
        "prostate cancer", "tumour in the prostate", "kidneys", "ventricles",
    ),
    "fundus": (
        "optic disc", "optic nerve head", "papilla", "optic cup", "cup of the disc", "optic disc without the cup",
        "disc minus the cup", "neuroretinal rim", "retinal vessels", "blood vessels", "arteries and veins of the retina",
    ),
    "microscopy": (
        "cell nuclei", "nuclei in an H&E slide", "white blood cell", "leukocytes in a smear", "cytoplasm",
        "nucleus of a white blood cell", "leukocyte without its nucleus",
    ),
    "photo": ("foot ulcer", "wound on the foot", "diabetic foot ulcer in a photo"),
}  # fmt: skip

INSTEAD = {
    "Halsschlagader": "common carotid artery", "Zähne": "teeth", "dents": "teeth", "linke Herzkammer": "left ventricle",
    "ventricule gauche": "left ventricle", "ventrículo izquierdo": "left ventricle", "Prostatakrebs": "prostate tumour",
    "Nierenstein": "kidney stone", "calcul rénal": "kidney stone", "cálculo renal": "kidney stone",
    "cancer du poumon": "lung tumour", "Schlaganfall": "ischaemic stroke", "Hirnblutung": "intracranial haemorrhage",
    "papille optique": "optic disc", "Zellkerne": "cell nuclei", "globule blanc": "white blood cell",
    "Stimmlippen": "vocal folds", "cordes vocales": "vocal folds", "Schilddrüsenknoten": "thyroid nodule",
    "Schlüsselbein": "clavicles", "Fußulkus": "foot ulcer", "Bandscheiben": "intervertebral discs",
    "vertèbres": "vertebrae", "artère pulmonaire": "pulmonary artery", "rim": "kidneys", "rim esquerdo": "left kidney",
    "bitte die Hirnblutung markieren": "intracranial haemorrhage",
}  # fmt: skip
