"""minitorch.vision.ops on boxes and regions: torchvision's results; plain loops' where it would need its library."""

import math
import sys

import numpy as np
import pytest
import torch
import torchvision
import vision_compare as vc

import minitorch
from minitorch.vision import ops

PAIR = ((ops, minitorch), (torchvision.ops, torch))


def boxes(rng, n, size=60.0):
    corner, extent = rng.uniform(0, size, (n, 2)), rng.uniform(1, size / 2, (n, 2))
    return np.concatenate([corner, corner + extent], 1).astype("float32")


def both(function, *arrays, tolerance=1e-6):
    results = [function(N, t, *[t.from_numpy(np.array(a)) for a in arrays]) for N, t in PAIR]
    vc.assert_same(*results, tolerance=tolerance)
    return results[0]


# ---------------------------------------------------------------------- overlaps and formats
@pytest.mark.parametrize("name", ["box_iou", "generalized_box_iou", "distance_box_iou", "complete_box_iou"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int16"])
def test_overlaps(name, dtype, rng):
    a, b = boxes(rng, 7).astype(dtype), boxes(rng, 5).astype(dtype)
    both(lambda N, t, x, y: getattr(N, name)(x, y), a, b, tolerance=1e-5)
    both(lambda N, t, x, y: getattr(N, name)(x[None].repeat(2, 1, 1), y[None]), a, b, tolerance=1e-5)


@pytest.mark.parametrize("fmt", ["xyxy", "xywh", "cxcywh"])
def test_formats(fmt, rng):
    both(lambda N, t, x, y: N.box_iou(x, y, fmt), boxes(rng, 7), boxes(rng, 5), tolerance=1e-5)
    both(lambda N, t, x: N.box_area(x, fmt), boxes(rng, 7))
    for other in ("xyxy", "xywh", "cxcywh"):
        both(lambda N, t, x, out=other: N.box_convert(x, fmt, out), boxes(rng, 7))
        both(lambda N, t, x, out=other: N.box_convert(x, fmt, out), boxes(rng, 7).astype("int64"))


def test_clipping_and_small_boxes(rng):
    both(lambda N, t, x: N.clip_boxes_to_image(x, (40, 50)), boxes(rng, 9) - 10)
    both(lambda N, t, x: N.remove_small_boxes(x, 12.0), boxes(rng, 20))


def test_boxes_around_masks(rng):
    masks = rng.random((5, 12, 14)) > 0.97
    masks[2] = False
    both(lambda N, t, x: N.masks_to_boxes(x), masks)
    both(lambda N, t, x: N.masks_to_boxes(x), masks[:0])


@pytest.mark.parametrize("name", ["generalized_box_iou_loss", "distance_box_iou_loss", "complete_box_iou_loss"])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_losses_of_boxes_and_their_gradients(name, reduction, rng):
    a, b = boxes(rng, 6), boxes(rng, 6)
    grads = []
    for N, t in PAIR:
        x, y = t.from_numpy(a.copy()).requires_grad_(), t.from_numpy(b.copy())
        loss = getattr(N, name)(x, y, reduction)
        loss.sum().backward()
        grads.append((loss, x.grad))
    vc.assert_same(*grads, tolerance=1e-5)
    both(lambda N, t, x, y: getattr(N, name)(x, y, reduction), a[:0], b[:0])


@pytest.mark.parametrize("alpha", [0.25, -1])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_focal_loss(alpha, reduction, rng):
    x, y = rng.normal(size=(4, 5)).astype("float32"), (rng.random((4, 5)) > 0.5).astype("float32")
    both(lambda N, t, a, b: N.sigmoid_focal_loss(a, b, alpha, 1.5, reduction), x, y, tolerance=1e-5)


# ---------------------------------------------------------------------- suppression
def naive_nms(array, scores, threshold):
    order, kept = sorted(range(len(array)), key=lambda i: -scores[i]), []
    for i in order:
        x1, y1, x2, y2 = array[i]
        for j in kept:
            w = min(x2, array[j][2]) - max(x1, array[j][0])
            h = min(y2, array[j][3]) - max(y1, array[j][1])
            inter = max(w, 0) * max(h, 0)
            both_areas = (x2 - x1) * (y2 - y1) + (array[j][2] - array[j][0]) * (array[j][3] - array[j][1])
            if inter / (both_areas - inter) > threshold:
                break
        else:
            kept.append(i)
    return kept


@pytest.mark.parametrize("threshold", [0.1, 0.5, 0.9])
def test_nms_is_the_plain_loops(threshold, rng):
    array, scores = boxes(rng, 80), rng.random(80).astype("float32").round(1)  # with ties, the first wins
    kept = ops.nms(minitorch.from_numpy(array), minitorch.from_numpy(scores), threshold)
    assert kept.tolist() == naive_nms(array.astype(float), scores, threshold)
    assert ops.nms(minitorch.zeros(0, 4), minitorch.zeros(0), 0.5).tolist() == []


def test_batched_nms_keeps_categories_apart(rng):
    array, scores, kinds = boxes(rng, 60), rng.random(60).astype("float32"), rng.integers(0, 3, 60)
    kept = ops.batched_nms(*map(minitorch.from_numpy, (array, scores, kinds)), 0.3).tolist()
    expected = [
        np.flatnonzero(kinds == k)[i] for k in range(3) for i in naive_nms(array[kinds == k], scores[kinds == k], 0.3)
    ]
    assert sorted(kept) == sorted(expected)
    assert scores[kept].tolist() == sorted(scores[kept].tolist(), reverse=True)


# ---------------------------------------------------------------------- regions
def regions(rng, n, images=2):
    return np.concatenate([rng.integers(0, images, (n, 1)), boxes(rng, n, 30.0) - 3], 1).astype("float32")


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("ratio", [-1, 1, 2])
def test_roi_align_and_its_gradient(aligned, ratio, rng):
    theirs = sys.modules["torchvision.ops.roi_align"]._roi_align.__wrapped__
    x, rois = rng.normal(size=(2, 3, 20, 24)).astype("float32"), regions(rng, 12)
    rois[:, 1:] = np.clip(rois[:, 1:], 0, 28)  # outside, torchvision's Python and its library do not agree
    a, b = minitorch.from_numpy(x.copy()).requires_grad_(), torch.from_numpy(x.copy()).requires_grad_()
    mine = ops.roi_align(a, minitorch.from_numpy(rois), (4, 5), 0.7, ratio, aligned)
    other = theirs(b, torch.from_numpy(rois), 0.7, 4, 5, ratio, aligned)
    mine.pow(2).sum().backward()
    other.pow(2).sum().backward()
    vc.assert_same([mine, a.grad], [other, b.grad], tolerance=2e-4)


def test_roi_align_counts_what_is_outside_as_zero():
    out = ops.roi_align(
        minitorch.ones(1, 1, 4, 4), minitorch.tensor([[0.0, -8.0, 0.0, 8.0, 4.0]]), (1, 4), aligned=True
    )
    np.testing.assert_allclose(out[0, 0, 0].numpy(), [0.0, 0.25, 1.0, 0.25])


def test_regions_given_as_a_list_per_image(rng):
    x, rois = minitorch.rand(2, 3, 20, 24), regions(rng, 6)
    rois = rois[np.argsort(rois[:, 0], kind="stable")]
    listed = [minitorch.from_numpy(rois[rois[:, 0] == i, 1:]) for i in range(2)]
    for pool in (ops.RoIAlign(3, 0.5, 2), ops.RoIPool((3, 2), 0.5)):
        vc.assert_same(pool(x, listed), pool(x, minitorch.from_numpy(rois)))
    assert ops.roi_align(x, minitorch.zeros(0, 5), 2).shape == (0, 3, 2, 2)
    assert ops.roi_pool(x, minitorch.zeros(0, 5), 2).shape == (0, 3, 2, 2)


def away(v):
    return int(math.floor(abs(v) + 0.5) * (1 if v >= 0 else -1))


def naive_bins(x, roi, size, scale, more, limit, reduce):
    """Whole-pixel bins of one region, as a loop over them."""
    x1, y1, x2, y2 = [away(np.float32(v) * np.float32(scale)) for v in roi[1:]]
    height, width = max(y2 - y1 + more, 1), max(x2 - x1 + more, 1)
    out = np.zeros((*x.shape[:1], *size))
    for i in range(size[0]):
        for j in range(size[1]):
            ends = []
            for at, start, length, bins, most in (
                (i, y1, height, size[0], x.shape[1] - limit), (j, x1, width, size[1], x.shape[2] - limit)
            ):  # fmt: skip
                step = np.float32(length) / np.float32(bins)
                low, high = math.floor(at * step) + start, math.ceil((at + 1) * step) + start
                ends += [min(max(low, 0), most), min(max(high, 0), most)]
            part = x[:, ends[0] : ends[1], ends[2] : ends[3]]
            if part.size:
                out[:, i, j] = reduce(part, i * size[1] + j)
    return out


def test_roi_pool_is_the_plain_loops(rng):
    x, rois = rng.normal(size=(2, 3, 20, 24)).astype("float32"), regions(rng, 10)
    mine = ops.roi_pool(minitorch.from_numpy(x), minitorch.from_numpy(rois), (3, 4), 0.6)
    expected = [naive_bins(x[int(r[0])], r, (3, 4), 0.6, 1, 0, lambda p, _: p.max((1, 2))) for r in rois]
    np.testing.assert_allclose(mine.numpy(), expected, rtol=1e-6)


def test_ps_roi_pool_is_the_plain_loops(rng):
    x, rois = rng.normal(size=(2, 24, 20, 24)).astype("float32"), regions(rng, 10)
    mine = ops.PSRoIPool((3, 4), 0.6)(minitorch.from_numpy(x), minitorch.from_numpy(rois))
    for row, roi in zip(mine.numpy(), rois):
        for channel in range(2):
            own = x[int(roi[0]), channel * 12 : (channel + 1) * 12]
            means = naive_bins(own, roi, (3, 4), 0.6, 0, 1, lambda p, at: p.mean((1, 2))[at])
            np.testing.assert_allclose(row[channel], means[0], rtol=1e-4, atol=1e-5)


def test_ps_roi_align_takes_each_bin_from_its_own_channel(rng):
    x, rois = minitorch.from_numpy(rng.normal(size=(2, 12, 20, 24)).astype("float32")), regions(rng, 5)
    rois[:, 3:] = rois[:, 1:3] + 8  # roi_align without `aligned` widens small regions, and shifts nothing
    mine = ops.PSRoIAlign((2, 3), 1.0, 2)(x, minitorch.from_numpy(rois))
    shifted = rois - np.array([0, 0.5, 0.5, 0.5, 0.5], "float32")
    every = ops.roi_align(x, minitorch.from_numpy(shifted), (2, 3), 1.0, 2).reshape(5, 2, 6, 6)
    expected = minitorch.stack([every[:, :, i, i] for i in range(6)], -1).reshape(5, 2, 2, 3)
    vc.assert_same(mine, expected, tolerance=1e-5)


def test_multi_scale_pooling_chooses_torchvisions_levels(rng):
    sizes = [minitorch.from_numpy(boxes(rng, 30, 700.0)), minitorch.from_numpy(boxes(rng, 5, 200.0))]
    features = {"0": minitorch.rand(2, 3, 64, 48), "1": minitorch.rand(2, 3, 32, 24), "x": minitorch.rand(1)}
    pool = ops.MultiScaleRoIAlign(["0", "1"], 3, 2)
    out = pool(features, sizes, [(512, 384), (500, 300)])
    assert out.shape == (35, 3, 3, 3) and pool.scales == [0.125, 0.0625]
    mapper = torchvision.ops.poolers.LevelMapper(2, 5)
    mine = ops.poolers.LevelMapper(2, 5)(sizes)
    assert mine.tolist() == mapper([torch.from_numpy(s.numpy()) for s in sizes]).tolist()
    assert repr(pool) == repr(torchvision.ops.MultiScaleRoIAlign(["0", "1"], 3, 2))


# ---------------------------------------------------------------------- pyramids
@pytest.mark.parametrize("extra", [None, "LastLevelMaxPool", "LastLevelP6P7"])
def test_feature_pyramid_equals_torchvisions(extra):
    results = []
    for N, t in PAIR:
        t.manual_seed(0)
        module = sys.modules[N.__name__ + ".feature_pyramid_network"]
        block = None
        if extra:
            block = getattr(module, extra)(*([4, 4] if extra.endswith("P7") else []))
        fpn = N.FeaturePyramidNetwork([4, 6, 8], 4, block, t.nn.BatchNorm2d if extra is None else None)
        x = {name: t.rand(1, c, s, s) for name, c, s in (("a", 4, 17), ("b", 6, 9), ("c", 8, 5))}
        out = fpn(x)
        results.append((list(out), list(fpn.state_dict()), [v.detach().numpy() for v in out.values()]))
    assert results[0][:2] == results[1][:2]
    for mine, other in zip(results[0][2], results[1][2]):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)


def test_a_pyramids_first_version_loads():
    fpn = ops.FeaturePyramidNetwork([4], 2)
    old = {k.replace(".0.weight", ".weight").replace("0.0.bias", "0.bias"): v for k, v in fpn.state_dict().items()}
    assert fpn.load_state_dict(old).missing_keys == []


# ---------------------------------------------------------------------- deformable convolution
def test_deformable_convolution_without_offsets_is_a_convolution(rng):
    x, w = minitorch.rand(2, 4, 9, 10), minitorch.rand(6, 2, 3, 3)
    offset = minitorch.zeros(2, 18, 5, 5)
    mine = ops.deform_conv2d(x, offset, w, minitorch.ones(6), stride=2, padding=1)
    vc.assert_same(mine, minitorch.nn.functional.conv2d(x, w, minitorch.ones(6), 2, 1, groups=2), tolerance=1e-5)


def test_deformable_convolution_is_the_plain_loops(rng):
    x, w = rng.normal(size=(1, 4, 6, 7)), rng.normal(size=(3, 4, 2, 3))
    offset, mask = rng.normal(size=(1, 2 * 2 * 6, 5, 7)) * 2, rng.random((1, 2 * 6, 5, 7))
    mine = ops.deform_conv2d(
        *map(minitorch.from_numpy, (x, offset, w)), padding=(0, 1), mask=minitorch.from_numpy(mask)
    )
    expected = np.zeros((3, 5, 7))

    def pixel(c, y, z):
        return x[0, c, y, z] if 0 <= y < 6 and 0 <= z < 7 else 0.0

    for c in range(4):
        for tap in range(6):
            for i in range(5):
                for j in range(7):
                    row = (c // 2) * 6 + tap
                    y, z = np.array([i + tap // 3, j + tap % 3 - 1]) + offset[0, 2 * row : 2 * row + 2, i, j]
                    y0, z0 = math.floor(y), math.floor(z)
                    value = sum(
                        pixel(c, y0 + a, z0 + b) * (y - y0 if a else 1 - y + y0) * (z - z0 if b else 1 - z + z0)
                        for a in (0, 1)
                        for b in (0, 1)
                    )
                    expected[:, i, j] += w[:, c, tap // 3, tap % 3] * value * mask[0, row, i, j]
    np.testing.assert_allclose(mine[0].numpy(), expected, rtol=1e-6, atol=1e-9)


def test_deformable_layer_starts_as_torchvisions():
    layers = []
    for N, t in PAIR:
        t.manual_seed(1)
        layers.append(N.DeformConv2d(4, 6, 3, padding=1, groups=2))
    vc.assert_same(layers[0].state_dict(), layers[1].state_dict())
    assert repr(layers[0]) == repr(layers[1])


LAYERS = {
    "RoIAlign": (7, 0.25, 2, True),
    "RoIPool": ((7, 5), 0.25),
    "PSRoIAlign": (7, 0.25, 2),
    "PSRoIPool": (7, 0.25),
    "DeformConv2d": (4, 6, (3, 1), 2, 1, 2, 2, False),
}


@pytest.mark.parametrize("name", LAYERS)
def test_text_is_torchvisions(name):
    assert repr(getattr(ops, name)(*LAYERS[name])) == repr(getattr(torchvision.ops, name)(*LAYERS[name]))


def test_public_names_are_torchvisions():
    assert [name for name in torchvision.ops.__all__ if not hasattr(ops, name)] == []


WRONG = {
    "convert": lambda N, t: N.box_convert(t.zeros(1, 4), "xyxy", "xyrr"),
    "area": lambda N, t: N.box_area(t.zeros(1, 4), "xyr"),
    "iou": lambda N, t: N.box_iou(t.zeros(1, 4), t.zeros(1, 4), "xyr"),
    "loss": lambda N, t: N.generalized_box_iou_loss(t.zeros(1, 4), t.zeros(1, 4), "all"),
    "focal alpha": lambda N, t: N.sigmoid_focal_loss(t.zeros(1), t.zeros(1), alpha=2),
    "focal reduction": lambda N, t: N.sigmoid_focal_loss(t.zeros(1), t.zeros(1), reduction="all"),
    "regions": lambda N, t: N.roi_align(t.zeros(1, 1, 4, 4), t.zeros(1, 4), 2),
    "list of regions": lambda N, t: N.roi_align(t.zeros(1, 1, 4, 4), [t.zeros(1, 5)], 2),
    "pyramid channels": lambda N, t: N.FeaturePyramidNetwork([0], 2),
    "pyramid blocks": lambda N, t: N.FeaturePyramidNetwork([1], 2, t.nn.Identity()),
    "deformable groups": lambda N, t: N.DeformConv2d(3, 4, 3, groups=2),
    "deformable groups out": lambda N, t: N.DeformConv2d(4, 3, 3, groups=2),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_call_raises_torchvisions_error(name):
    errors = []
    for N, t in PAIR:
        with pytest.raises((ValueError, TypeError, AssertionError)) as caught:
            WRONG[name](N, t)
        errors.append((caught.type, str(caught.value).replace("minitorch", "torch")))
    assert errors[0] == errors[1]


def test_wrong_boxes_for_nms_are_refused():
    with pytest.raises(RuntimeError, match="boxes should have 4 elements in dimension 1, got 3"):
        ops.nms(minitorch.zeros(2, 3), minitorch.zeros(2), 0.5)
    with pytest.raises(RuntimeError, match="same number of elements"):
        ops.nms(minitorch.zeros(2, 4), minitorch.zeros(3), 0.5)
    with pytest.raises(NotImplementedError, match="cxcywhr, which may be turned"):
        ops.box_iou(minitorch.zeros(2, 5), minitorch.zeros(3, 5), "cxcywhr")
