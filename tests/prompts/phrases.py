"""What each of many phrases must give, with the targets that the embedded weights were taught."""

NEGATED = (
    "no lungs", "without effusion", "lungs without effusion", "not the liver", "everything except the liver",
    "tumour-free", "tumour-free liver", "the lung, but not the left one", "all but the spleen", "liver without tumour",
    "absence of tumour", "exclude the kidneys", "no polyp", "don't segment the liver", "neither lung",
    "lungs excluding the heart", "anything but the lungs", "negative for tumour", "non-lung", "outside the lungs",
    "other than the liver", "lungs w/o the heart", "the liver minus its tumour", "never the spleen", "kein Tumor",
    "ohne Milz", "die Lunge ohne Erguss", "keine Leber", "pas de poumons", "sans la rate", "sin hígado",
    "senza fegato", "sem fígado", "sine hepate, hepar",
)  # fmt: skip

UNKNOWN = {
    "dog in the lungs": "dog", "nasal polyp": "nasal", "lungs of a fish": "fish", "banana liver": "banana",
    "liver of the dog": "dog", "the lungs and a dog": "dog", "asdf lungs": "asdf", "chicken breast tumour": "chicken",
    "lungs on the moon": "moon", "liver sausage": "sausage", "kidney beans": "beans", "heart attack": "attack",
    "bladder stone": "stone", "kidney stone": "kidney stone", "liver cyst": "cyst", "blood in the lungs": "blood",
    "thyroid nodule": "thyroid nodule", "the opposite of the liver": "opposite", "lung nodule": "lung nodule",
    "hepatic artery": "arteries", "portal vein": "portal vein", "skeleton": "bones", "Pfortader": "portal vein",
    "nodule in a neck ultrasound": "thyroid nodule", "right atrium": "right atrium", "lung cancer": "lung tumour", "lung tumour": "lung tumour",
    "tumour in the kidney": "kidney tumour", "renal tumour": "kidney tumour", "liver vessels": "hepatic vessels",
    "cancer du poumon": "lung tumour", "left ventricle": "left ventricle", "clavicle": "clavicles",
}  # fmt: skip

NOTHING = (
    "teapot", "hello", "car in a chest X-ray", "left shoe", "background", "prostate", "uterus", "chest", "CT", "left",
    "", "the", "please outline this for me", "123 %", "🫀", "الكبد",
)  # fmt: skip

PARTS = (
    "left upper lobe", "right lower lobe of the lung", "leftmost lung", "the second kidney", "smallest lung",
    "biggest lesion", "the other lung", "apex of the lung", "upper lung", "hilum of the lung", "half of the lung",
    "liver segment 4", "segment VIII of the liver", "left lobe of the liver", "left liver", "lower half of the liver",
    "tip of the liver", "third of the liver", "upper pole of the left kidney", "cortex of the kidney",
    "head of the pancreas", "tail of the pancreas", "aortic arch", "descending aorta", "wall of the bladder",
    "heart valve", "atrium of the heart", "left stomach", "lobe", "linker Lungenlappen", "one lung", "one of the kidneys",
    "the first polyp",
)  # fmt: skip

FINDINGS = (
    "nodule in the lung", "mass in the lung", "metastasis in the lung", "lung opacity",
    "lesion in the spleen", "tumour of the heart", "colon cancer", "fluid in the lungs",
    "air in the lungs", "vessels in the spleen", "abnormal lung",
)  # fmt: skip

SURROUNDINGS = ("spine", "the skin", "breast", "skull on MRI", "outline the ribs")

NO_SINGLE_TARGET = ("skin tumour", "gastric cancer", "liver in spleen")

PLACES = (
    "left half of the image", "lungs in the upper half of the image", "polyp on the left side of the image",
    "tumour in the corner of the picture", "polyp on the viewer's right",
)  # fmt: skip

ELSEWHERE = {
    "heart in a chest X-ray": "X-ray", "liver on a chest radiograph": "X-ray", "polyp on CT": "CT",
    "brain tumour on ultrasound": "ultrasound", "skin lesion in a CT": "CT", "lungs in dermoscopy": "dermoscopy",
}  # fmt: skip

AS_WRITTEN = (
    "lungs", "Lung", "LUNGS!", "the lungs, please", "could you please segment the lungs?", "both lungs", "lung fields",
    "lungs in this chest x-ray of a 60 year old male patient", "left lung", "lung, left", "right-sided lung",
    "the patient's left lung", "polyps", "a polyp in the colon", "enlarged liver", "fatty liver", "liver parenchyma",
    "segment liver", "segment the liver on this axial CT", "whole liver", "hepatic tissue", "big liver", "glioma",
    "liver on contrast-enhanced CT in the portal venous phase", "show us the liver", "brain tumor", "mole",
    "benign breast tumour", "non-malignant breast mass", "mass in the breast", "tumour in the left breast", "tumour",
    "whole tumour", "tumour without the surrounding oedema", "tumour core", "oedema", "lesion", "skin lesion",
    "dark spot on the skin", "inferior vena cava", "IVC", "left and right lung", "left and right kidney", "heart",
    "small bowel", "jejunum and ileum", "portal and splenic vein", "heart in a CT scan", "bladder", "windpipe",
    "cardiac silhouette in CT", "pancreas with head, body and tail", "where is the spleen?", "food pipe", "gullet",
    "I would like to have a mask of the stomach", "renal parenchyma of the left side", "right adrenal",
    "left femoral bone", "thigh bone on the right", "gland above the left kidney", "small lesion", "vena cava",
    "flat polyp", "sessile polyp in the colon", "irregular breast mass", "asymmetric mole", "dilated oesophagus",
    "the left lung as one mask", "polyp, if there is one", "first of all, the liver", "healthy lungs", "low-grade glioma", "horseshoe kidney", "shrunken liver", "empty stomach", "two lungs",
)  # fmt: skip

INSTEAD = {
    "lt lung": "left lung", "rt kidney": "right kidney", "L lung": "left lung", "R lung": "right lung",
    "lung (L)": "lung (left)", "Lt. adrenal gland": "left. adrenal gland",
    "lung on the left side of the image": "right lung", "the lung on the viewer's left": "right lung",
    "kidney on the right side of the picture": "left kidney", "left lung on the right of the image": "left lung",
    "tumors": "tumor", "tumors in the breast": "tumor in the breast", "livers": "livers",
    "hepar": "liver", "Leber": "liver", "die linke Lunge": "left lung", "linke Niere": "left kidney",
    "rechte Nebenniere": "right adrenal gland", "Bitte die Leber im CT segmentieren": "liver", "Milz": "spleen",
    "Magen": "stomach", "Gallenblase": "gallbladder", "Speiseröhre": "oesophagus", "Herz": "heart",
    "Hirntumor": "brain tumour", "Muttermal": "skin lesion", "Dickdarmpolyp": "polyp", "poumon gauche": "left lung",
    "le foie": "liver", "rein droit": "right kidney", "rein": "kidneys", "rate": "spleen", "vessie": "urinary bladder",
    "cœur": "heart", "tumeur du sein": "breast tumour", "la vésicule biliaire": "gallbladder",
    "polype du côlon": "polyp", "el hígado": "liver", "pulmón izquierdo": "left lung", "riñón derecho": "right kidney",
    "corazón": "heart", "polmone sinistro": "left lung", "rene destro": "right kidney", "il fegato": "liver",
    "cuore": "heart", "fígado": "liver", "pulmão direito": "right lung", "rim esquerdo": "left kidney",
    "os pulmões": "lungs", "pólipo": "polyp", "gliomas": "glioma", "breast masses": "breast mass", "linker Lungenflügel": "left lung",
    "pulmo sinister": "left lung", "ren dexter": "right kidney",
    "li\u200bver": "liver", "lìver": "liver", "l\u0301iver": "liver", "liver\u2060": "liver",
}  # fmt: skip
