"""Values as TensorBoard's protocol buffers."""

import io
import json
import wave
from typing import Any

import numpy as np
from google.protobuf import struct_pb2
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData
from tensorboard.plugins.text.plugin_data_pb2 import TextPluginData

from ._arrays import as_image, as_video, make_np

MOST_THRESHOLDS = 127  # of a pr curve: TensorBoard reads no more


def _shape(sizes: Any) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=n) for n in sizes])


def _of_plugin(tag: str, name: str, content: bytes, tensor: Any = None) -> Summary:
    plugin = SummaryMetadata.PluginData(plugin_name=name, content=content)
    return Summary(value=[Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin), tensor=tensor)])


# ---------------------------------------------------------------------- numbers
def scalar(name: str, tensor: Any, new_style: bool = False, double_precision: bool = False) -> Summary:
    """One number."""
    array = make_np(tensor).squeeze()
    if array.ndim != 0:
        raise AssertionError(
            "Tensor should contain one element (0 dimensions).             Was given size: "
            f"{array.size} and {array.ndim} dimensions."
        )
    value = float(array)
    if not new_style:
        return Summary(value=[Summary.Value(tag=name, simple_value=value)])
    made = TensorProto(float_val=[value], dtype="DT_FLOAT")
    if double_precision:
        made = TensorProto(double_val=[value], dtype="DT_DOUBLE")
    return _of_plugin(name, "scalars", b"", made)


def _half_bits(t: Any) -> list[int]:
    return t.float().numpy().view(np.int32).ravel().tolist()


# dtype -> (TensorBoard's name, the field of its values)
_TENSOR_FIELDS = {
    "float16": ("DT_HALF", "half_val"), "bfloat16": ("DT_BFLOAT16", "half_val"), "float32": ("DT_FLOAT", "float_val"),
    "float64": ("DT_DOUBLE", "double_val"), "int8": ("DT_INT8", "int_val"), "uint8": ("DT_UINT8", "uint32_val"),
    "int16": ("DT_INT16", "int_val"), "int32": ("DT_INT32", "int_val"), "int64": ("DT_INT64", "int64_val"),
    "bool": ("DT_BOOL", "bool_val"),
}  # fmt: skip


def tensor_proto(tag: str, tensor: Any) -> Summary:
    """A whole tensor."""
    if tensor.numel() * tensor.itemsize >= 1 << 31:
        raise ValueError("tensor is bigger than protocol buffer's hard limit of 2GB in size")
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in _TENSOR_FIELDS:
        raise ValueError(f"{tag} has unsupported tensor dtype {tensor.dtype}")
    dtype, field = _TENSOR_FIELDS[name]
    values = _half_bits(tensor) if field == "half_val" else tensor.flatten().tolist()
    return _of_plugin(
        tag, "tensor", b"", TensorProto(dtype=dtype, tensor_shape=_shape(tensor.shape), **{field: values})
    )


# ---------------------------------------------------------------------- distributions
def histogram_raw(
    name: str, min: Any, max: Any, num: Any, sum: Any, sum_squares: Any, bucket_limits: Any, bucket_counts: Any
) -> Summary:
    """A histogram whose numbers are given."""
    made = HistogramProto(
        min=min, max=max, num=num, sum=sum, sum_squares=sum_squares, bucket_limit=bucket_limits, bucket=bucket_counts
    )
    return Summary(value=[Summary.Value(tag=name, histo=made)])


def histogram(name: str, values: Any, bins: Any, max_bins: int | None = None) -> Summary:
    """How the values are distributed over bins; empty bins at both ends are left out but for one before the first."""
    values = make_np(values).astype(float).reshape(-1)
    if values.size == 0:
        raise ValueError("The input has no element.")
    counts, limits = np.histogram(values, bins=bins)
    if max_bins is not None and len(counts) > max_bins:
        counts, limits = _coarser(counts, limits, len(counts) // max_bins)
    filled = np.flatnonzero(counts)
    if not filled.size:
        raise ValueError("The histogram is empty, please file a bug report.")
    first, last = int(filled[0]), int(filled[-1]) + 1
    kept = counts[first - 1 : last] if first else np.concatenate([[0], counts[:last]])
    return histogram_raw(
        name, values.min(), values.max(), len(values), values.sum(), values.dot(values),
        limits[first : last + 1].tolist(), kept.tolist(),
    )  # fmt: skip


def _coarser(counts: np.ndarray, limits: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Every `step` bins as one."""
    missing = -len(counts) % step
    merged = np.pad(counts, (0, missing)).reshape(-1, step).sum(axis=-1)
    return merged, np.append(limits[:-1:step], limits[-1])


def pr_curve(tag: str, labels: np.ndarray, predictions: np.ndarray, num_thresholds: int, weights: Any) -> Summary:
    """Precision and recall of predictions in [0, 1] at thresholds between 0 and 1."""
    n = min(num_thresholds, MOST_THRESHOLDS)
    buckets = np.int32(np.floor(predictions * (n - 1)))
    weights = 1.0 if weights is None else weights
    positive = labels.astype(np.float64)

    def at_least(weight: Any) -> np.ndarray:
        found, _ = np.histogram(buckets, bins=n, range=(0, n - 1), weights=weight)
        return np.cumsum(found[::-1])[::-1]

    tp, fp = at_least(positive * weights), at_least((1.0 - positive) * weights)
    tn, fn = fp[0] - fp, tp[0] - tp
    precision, recall = tp / np.maximum(1e-7, tp + fp), tp / np.maximum(1e-7, tp + fn)
    return pr_curve_raw(tag, tp, fp, tn, fn, precision, recall, n)


def pr_curve_raw(
    tag: str, tp: Any, fp: Any, tn: Any, fn: Any, precision: Any, recall: Any, num_thresholds: int
) -> Summary:
    """A precision-recall curve whose numbers are given."""
    content = PrCurvePluginData(version=0, num_thresholds=min(num_thresholds, MOST_THRESHOLDS)).SerializeToString()
    data = np.stack([make_np(x) for x in (tp, fp, tn, fn, precision, recall)])
    made = TensorProto(dtype="DT_FLOAT", float_val=data.reshape(-1).tolist(), tensor_shape=_shape(data.shape))
    return _of_plugin(tag, "pr_curves", content, made)


# ---------------------------------------------------------------------- pictures and sound
def _bytes_of(array: np.ndarray) -> np.ndarray:
    """Pixels as bytes: floats are taken to be in [0, 1]."""
    scale = 1 if array.dtype == np.uint8 else 255
    return (array.astype(np.float32) * scale).clip(0, 255).astype(np.uint8)


def image(
    tag: str, tensor: Any, rescale: float = 1, dataformats: str = "NCHW", boxes: Any = None, labels: Any = None
) -> Summary:
    """A picture, or a batch of them as a grid; boxes (N, 4) are drawn on it, with their labels."""
    from PIL import Image

    pixels = _bytes_of(as_image(make_np(tensor), dataformats))
    height, width, channels = pixels.shape
    picture = Image.fromarray(pixels)
    if boxes is not None:
        for i, box in enumerate(make_np(boxes)):
            _draw_box(picture, box[:4], None if labels is None else labels[i])
    picture = picture.resize((int(width * rescale), int(height * rescale)), Image.Resampling.LANCZOS)
    with io.BytesIO() as f:
        picture.save(f, format="PNG")
        made = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=f.getvalue())
    return Summary(value=[Summary.Value(tag=tag, image=made)])


def _draw_box(picture: Any, box: Any, label: str | None, color: str = "Red") -> None:
    from PIL import ImageDraw, ImageFont

    left, top, right, bottom = box
    draw = ImageDraw.Draw(picture)
    corners = [(left, top), (left, bottom), (right, bottom), (right, top), (left, top)]
    draw.line(corners, width=2, fill=color)
    if label:
        font = ImageFont.load_default()
        x0, y0, x1, y1 = font.getbbox(label)
        margin = np.ceil(0.05 * (y1 - y0))
        upper = bottom - (y1 - y0) - margin
        draw.rectangle([(left, upper - margin), (left + x1 - x0, bottom)], fill=color)
        draw.text((left + margin, upper), label, fill="black", font=font)


def video(tag: str, tensor: Any, fps: float) -> Summary:
    """Videos N T C H W, side by side, as one moving picture."""
    import tempfile

    try:
        from moviepy import ImageSequenceClip
    except ImportError:
        try:
            from moviepy.editor import ImageSequenceClip
        except ImportError as e:
            raise ImportError("add_video needs package moviepy, which is not installed: pip install moviepy") from e
    frames = _bytes_of(as_video(make_np(tensor)))
    _, height, width, channels = frames.shape
    with tempfile.NamedTemporaryFile(suffix=".gif") as f:
        ImageSequenceClip(list(frames), fps=fps).write_gif(f.name, logger=None)
        made = Summary.Image(height=height, width=width, colorspace=channels, encoded_image_string=f.read())
    return Summary(value=[Summary.Value(tag=tag, image=made)])


def audio(tag: str, tensor: Any, sample_rate: int) -> Summary:
    """A sound of one channel, its samples in [-1, 1]; what is outside is clipped, with a line that says so."""
    samples = make_np(tensor).squeeze()
    if abs(samples).max() > 1:
        print("warning: audio amplitude out of range, auto clipped.")
        samples = samples.clip(-1, 1)
    if samples.ndim != 1:
        raise AssertionError("input tensor should be 1 dimensional.")
    with io.BytesIO() as f:
        with wave.open(f, "wb") as sound:
            sound.setnchannels(1)
            sound.setsampwidth(2)
            sound.setframerate(sample_rate)
            sound.writeframes((samples * np.iinfo(np.int16).max).astype("<i2").tobytes())
        made = Summary.Audio(
            sample_rate=sample_rate, num_channels=1, length_frames=samples.shape[-1],
            encoded_audio_string=f.getvalue(), content_type="audio/wav",
        )  # fmt: skip
    return Summary(value=[Summary.Value(tag=tag, audio=made)])


# ---------------------------------------------------------------------- words and layout
def text(tag: str, text: str) -> Summary:
    """A text, in Markdown."""
    made = TensorProto(dtype="DT_STRING", string_val=[text.encode()], tensor_shape=_shape([1]))
    return _of_plugin(tag + "/text_summary", "text", TextPluginData(version=0).SerializeToString(), made)


def custom_scalars(layout: dict[str, dict[str, Any]]) -> Summary:
    """Which scalars share a chart: {category: {chart: ["Multiline" or "Margin", tags]}}."""
    categories = []
    for category, charts in layout.items():
        made = []
        for title, (kind, tags) in charts.items():
            if kind == "Margin":
                if len(tags) != 3:
                    raise AssertionError("len(tags) != 3")
                series = layout_pb2.MarginChartContent.Series(value=tags[0], lower=tags[1], upper=tags[2])
                content = {"margin": layout_pb2.MarginChartContent(series=[series])}
            else:
                content = {"multiline": layout_pb2.MultilineChartContent(tag=tags)}
            made.append(layout_pb2.Chart(title=title, **content))
        categories.append(layout_pb2.Category(title=category, chart=made))
    content = layout_pb2.Layout(category=categories).SerializeToString()
    tensor = TensorProto(dtype="DT_STRING", string_val=[content], tensor_shape=TensorShapeProto())
    return _of_plugin("custom_scalars__config__", "custom_scalars", b"", tensor)


def mesh(tag: str, vertices: Any, colors: Any, faces: Any, config_dict: Any) -> Summary:
    """Meshes: vertices (N, points, 3), colours of the same shape, faces (N, faces, 3)."""
    from tensorboard.plugins.mesh import metadata
    from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData

    kinds = ((vertices, MeshPluginData.VERTEX), (faces, MeshPluginData.FACE), (colors, MeshPluginData.COLOR))
    given = [(make_np(t), kind) for t, kind in kinds if t is not None]
    components = metadata.get_components_bitmask([kind for _, kind in given])
    config = "{}" if config_dict is None else json.dumps(config_dict, sort_keys=True)
    values = []
    for array, kind in given:
        about = metadata.create_summary_metadata(tag, None, kind, components, array.shape, None, json_config=config)
        tensor = TensorProto(dtype="DT_FLOAT", float_val=array.ravel().tolist(), tensor_shape=_shape(array.shape))
        values.append(Summary.Value(tag=metadata.get_instance_name(tag, kind), tensor=tensor, metadata=about))
    return Summary(value=values)


# ---------------------------------------------------------------------- hyperparameters
def _hparam(value: Any) -> tuple[str, str, Any]:
    """How a hyperparameter is kept: the field of its value, its type, the value."""
    import minitorch

    if isinstance(value, minitorch.Tensor):
        return "number_value", "DATA_TYPE_FLOAT64", float(make_np(value).reshape(-1)[0])
    if isinstance(value, (int, float)):  # and bool: torch keeps it as a number
        return "number_value", "DATA_TYPE_FLOAT64", value
    if isinstance(value, str):
        return "string_value", "DATA_TYPE_STRING", value
    raise ValueError("value should be one of int, float, str, bool, or torch.Tensor")


def _check_hparams(hparam_dict: Any, metric_dict: Any, domains: Any) -> None:
    for name, given in (("hparam_dict", hparam_dict), ("metric_dict", metric_dict)):
        if not isinstance(given, dict):
            raise TypeError(f"parameter: {name} should be a dictionary, nothing logged.")
    if not isinstance(domains, dict):
        raise TypeError("parameter: hparam_domain_discrete should be a dictionary, nothing logged.")
    for k, v in domains.items():
        if k not in hparam_dict or not isinstance(v, list) or not all(isinstance(d, type(hparam_dict[k])) for d in v):
            raise TypeError(
                f"parameter: hparam_domain_discrete[{k}] should be a list of same type as hparam_dict[{k}]."
            )


def hparams(hparam_dict: Any, metric_dict: Any, hparam_domain_discrete: Any = None) -> list[Summary]:
    """An experiment's hyperparameters and the names of its metrics: its description, its start and its end."""
    from tensorboard.plugins.hparams import metadata
    from tensorboard.plugins.hparams.api_pb2 import DataType, Experiment, HParamInfo, MetricInfo, MetricName, Status
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo

    domains = hparam_domain_discrete or {}
    _check_hparams(hparam_dict, metric_dict, domains)
    start, infos = SessionStartInfo(), []
    for name, value in hparam_dict.items():
        if value is None:
            continue
        field, kind, kept = _hparam(value)
        setattr(start.hparams[name], field, kept)
        domain = None
        if name in domains:
            domain = struct_pb2.ListValue(values=[struct_pb2.Value(**{field: d}) for d in domains[name]])
        infos.append(HParamInfo(name=name, type=DataType.Value(kind), domain_discrete=domain))
    metrics = [MetricInfo(name=MetricName(tag=k)) for k in metric_dict]
    parts = (
        (metadata.EXPERIMENT_TAG, {"experiment": Experiment(hparam_infos=infos, metric_infos=metrics)}),
        (metadata.SESSION_START_INFO_TAG, {"session_start_info": start}),
        (metadata.SESSION_END_INFO_TAG, {"session_end_info": SessionEndInfo(status=Status.Value("STATUS_SUCCESS"))}),
    )
    version = metadata.PLUGIN_DATA_VERSION
    return [
        _of_plugin(tag, metadata.PLUGIN_NAME, HParamsPluginData(version=version, **part).SerializeToString())
        for tag, part in parts
    ]
