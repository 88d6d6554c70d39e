"""Same as torchvision.datasets: readers of the data sets' own files, which they can download. Pictures need Pillow."""

from typing import Any

from .caltech import Caltech101, Caltech256
from .celeba import CelebA
from .cifar import CIFAR10, CIFAR100
from .cityscapes import Cityscapes
from .clevr import CLEVRClassification
from .coco import CocoCaptions, CocoDetection
from .country211 import Country211
from .dtd import DTD
from .eurosat import EuroSAT
from .fakedata import FakeData
from .fer2013 import FER2013
from .fgvc_aircraft import FGVCAircraft
from .flowers102 import Flowers102
from .folder import DatasetFolder, ImageFolder
from .food101 import Food101
from .gtsrb import GTSRB
from .imagenet import ImageNet
from .imagenette import Imagenette
from .kitti import Kitti
from .lfw import LFWPairs, LFWPeople
from .mnist import EMNIST, KMNIST, MNIST, QMNIST, FashionMNIST
from .moving_mnist import MovingMNIST
from .omniglot import Omniglot
from .oxford_iiit_pet import OxfordIIITPet
from .rendered_sst2 import RenderedSST2
from .sbu import SBU
from .semeion import SEMEION
from .stanford_cars import StanfordCars
from .stl10 import STL10
from .sun397 import SUN397
from .svhn import SVHN
from .usps import USPS
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
]

_UNSUPPORTED = (
    "CREStereo CarlaStereo ETH3DStereo FallingThingsStereo Flickr30k Flickr8k FlyingChairs FlyingThings3D HD1K HMDB51 "
    "INaturalist InStereo2k Kinetics Kitti2012Stereo Kitti2015Stereo KittiFlow LSUN LSUNClass Middlebury2014Stereo "
    "PCAM PhotoTour Places365 SBDataset SceneFlowStereo Sintel SintelStereo UCF101 WIDERFace "
    "wrap_dataset_for_transforms_v2"
).split()


def __getattr__(name: str) -> Any:
    if name in _UNSUPPORTED:
        raise NotImplementedError(f"torchvision.datasets.{name} is not supported by minitorch")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
