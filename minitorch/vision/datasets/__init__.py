"""Same as torchvision.datasets: readers of the data sets' own files, which they can download. Pictures need Pillow."""

import importlib
from typing import Any

from minitorch._unsupported import UnsupportedName

from .cifar import CIFAR10, CIFAR100
from .coco import CocoCaptions, CocoDetection
from .fakedata import FakeData
from .folder import DatasetFolder, ImageFolder
from .imagenet import ImageNet
from .mnist import EMNIST, KMNIST, MNIST, QMNIST, FashionMNIST
from .stl10 import STL10
from .svhn import SVHN
from .vision import VisionDataset
from .voc import VOCDetection, VOCSegmentation

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "CLEVRClassification",
    "Caltech101",
    "Caltech256",
    "CelebA",
    "Cityscapes",
    "CocoCaptions",
    "CocoDetection",
    "Country211",
    "DTD",
    "DatasetFolder",
    "EMNIST",
    "EuroSAT",
    "FER2013",
    "FGVCAircraft",
    "FakeData",
    "FashionMNIST",
    "Flowers102",
    "Food101",
    "GTSRB",
    "ImageFolder",
    "ImageNet",
    "Imagenette",
    "KMNIST",
    "Kitti",
    "LFWPairs",
    "LFWPeople",
    "MNIST",
    "MovingMNIST",
    "Omniglot",
    "OxfordIIITPet",
    "QMNIST",
    "RenderedSST2",
    "SBU",
    "SEMEION",
    "STL10",
    "SUN397",
    "SVHN",
    "StanfordCars",
    "USPS",
    "VOCDetection",
    "VOCSegmentation",
    "VisionDataset",
    "wrap_dataset_for_transforms_v2",
]

# the less common ones, imported when first named: module -> names
_LAZY = {
    "caltech": "Caltech101 Caltech256",
    "celeba": "CelebA",
    "cityscapes": "Cityscapes",
    "clevr": "CLEVRClassification",
    "country211": "Country211",
    "dtd": "DTD",
    "eurosat": "EuroSAT",
    "fer2013": "FER2013",
    "fgvc_aircraft": "FGVCAircraft",
    "flowers102": "Flowers102",
    "food101": "Food101",
    "gtsrb": "GTSRB",
    "imagenette": "Imagenette",
    "kitti": "Kitti",
    "lfw": "LFWPairs LFWPeople",
    "moving_mnist": "MovingMNIST",
    "omniglot": "Omniglot",
    "oxford_iiit_pet": "OxfordIIITPet",
    "rendered_sst2": "RenderedSST2",
    "sbu": "SBU",
    "semeion": "SEMEION",
    "stanford_cars": "StanfordCars",
    "sun397": "SUN397",
    "usps": "USPS",
    "_wrapper": "wrap_dataset_for_transforms_v2",
}

_UNSUPPORTED = (
    "CREStereo CarlaStereo ETH3DStereo FallingThingsStereo Flickr30k Flickr8k FlyingChairs FlyingThings3D HD1K HMDB51 "
    "INaturalist InStereo2k Kinetics Kitti2012Stereo Kitti2015Stereo KittiFlow LSUN LSUNClass Middlebury2014Stereo "
    "PCAM PhotoTour Places365 SBDataset SceneFlowStereo Sintel SintelStereo UCF101 WIDERFace"
).split()


def __getattr__(name: str) -> Any:
    for module, classes in _LAZY.items():
        if name in classes.split():
            value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
        if name == module:
            return importlib.import_module(f"{__name__}.{module}")
    if name in _UNSUPPORTED:
        raise UnsupportedName(f"torchvision.datasets.{name} is not supported by minitorch")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
