"""Every kind of fault and every generator of shifts, under one import; each is loaded when it is first used.

    from driftdrill.faults import Hang, Null, RenameMetric, Status, rescale

Names are alike nowhere: whatever is here is called the same where it is defined.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from driftdrill.harness.seams.hook import control
    from driftdrill.harness.seams.load import load
    from driftdrill.harness.traffic.payload import (
        BatchShape,
        Charset,
        ContentType,
        DuplicateKey,
        Gzip,
        MergePatch,
        Missing,
        Null,
        Number,
        Padding,
        Text,
        Truncated,
        UnknownKey,
        WrongDatatype,
        WrongShape,
        WrongType,
    )
    from driftdrill.shift_generators import (
        affine,
        between,
        case_category,
        clipped,
        concept_flip,
        concept_logit,
        concept_reverse,
        constant_column,
        correlation_break,
        duplicates,
        edge,
        equals,
        gaussian_noise,
        in_order,
        knockout_category,
        linear,
        log_unit,
        mar,
        mcar,
        mean_shift,
        merge_categories,
        mnar,
        novel_category,
        on_fraction,
        on_slice,
        outliers,
        prior,
        quantile_warp,
        rescale,
        rotation,
        rounding,
        scale,
        selection,
        shift_time,
        shuffle_column,
        sized,
        sized_by,
        stuck,
        subgroup,
        swap_columns,
        temperature,
        text_case,
        text_emoji,
        text_language,
        text_length,
        text_typo,
        text_vocabulary,
        tilt,
        time_format,
        timezone,
        typo_category,
        wrong_join,
    )
    from driftdrill.stack.faults.jobs import (
        DropByRelabel,
        FlipHonorLabels,
        RenameJob,
        SampleLimit,
        ScrapeInterval,
        WrongPath,
        WrongPort,
    )
    from driftdrill.stack.faults.network import (
        Bandwidth,
        Delay,
        Down,
        Latency,
        LimitData,
        Patch,
        Replace,
        ResetPeer,
        Slicer,
        SlowClose,
        Status,
        Timeout,
    )
    from driftdrill.stack.faults.pages import (
        AddLabel,
        BucketCoverage,
        Corrupt,
        DropSeries,
        DuplicateLines,
        ExplodeCardinality,
        Freeze,
        HideZeros,
        PoisonNaN,
        RenameLabel,
        RenameMetric,
        ResetCounters,
        SkewTimestamps,
        SlowPage,
        Truncate,
        WorkerCounters,
        WrongMetricType,
    )
    from driftdrill.stack.faults.process import (
        CpuBurner,
        CpuLimit,
        CrashLoop,
        DescriptorLimit,
        Hang,
        IoBurner,
        MemoryBurner,
        MemoryLimit,
        hook,
    )
    from driftdrill.stack.model_service.switches import (
        CacheStuck,
        Calibration,
        ClassMap,
        ConstantOutput,
        DefaultImputed,
        Dtype,
        FeatureOrder,
        Locale,
        NanOutput,
        Nondeterministic,
        ScalerMissing,
        ScalerTwice,
        Slow,
        StaleFeatures,
        Threshold,
        TrafficSplit,
        UnitChange,
        WrongVersion,
    )

__all__ = [
    "AddLabel",
    "Bandwidth",
    "BatchShape",
    "BucketCoverage",
    "CacheStuck",
    "Calibration",
    "Charset",
    "ClassMap",
    "ConstantOutput",
    "ContentType",
    "Corrupt",
    "CpuBurner",
    "CpuLimit",
    "CrashLoop",
    "DefaultImputed",
    "Delay",
    "DescriptorLimit",
    "Down",
    "DropByRelabel",
    "DropSeries",
    "Dtype",
    "DuplicateKey",
    "DuplicateLines",
    "ExplodeCardinality",
    "FeatureOrder",
    "FlipHonorLabels",
    "Freeze",
    "Gzip",
    "Hang",
    "HideZeros",
    "IoBurner",
    "Latency",
    "LimitData",
    "Locale",
    "MemoryBurner",
    "MemoryLimit",
    "MergePatch",
    "Missing",
    "NanOutput",
    "Nondeterministic",
    "Null",
    "Number",
    "Padding",
    "Patch",
    "PoisonNaN",
    "RenameJob",
    "RenameLabel",
    "RenameMetric",
    "Replace",
    "ResetCounters",
    "ResetPeer",
    "SampleLimit",
    "ScalerMissing",
    "ScalerTwice",
    "ScrapeInterval",
    "SkewTimestamps",
    "Slicer",
    "Slow",
    "SlowClose",
    "SlowPage",
    "StaleFeatures",
    "Status",
    "Text",
    "Threshold",
    "Timeout",
    "TrafficSplit",
    "Truncate",
    "Truncated",
    "UnitChange",
    "UnknownKey",
    "WorkerCounters",
    "WrongDatatype",
    "WrongMetricType",
    "WrongPath",
    "WrongPort",
    "WrongShape",
    "WrongType",
    "WrongVersion",
    "affine",
    "between",
    "case_category",
    "clipped",
    "concept_flip",
    "concept_logit",
    "concept_reverse",
    "constant_column",
    "control",
    "correlation_break",
    "duplicates",
    "edge",
    "equals",
    "gaussian_noise",
    "hook",
    "in_order",
    "knockout_category",
    "linear",
    "load",
    "log_unit",
    "mar",
    "mcar",
    "mean_shift",
    "merge_categories",
    "mnar",
    "novel_category",
    "on_fraction",
    "on_slice",
    "outliers",
    "prior",
    "quantile_warp",
    "rescale",
    "rotation",
    "rounding",
    "scale",
    "selection",
    "shift_time",
    "shuffle_column",
    "sized",
    "sized_by",
    "stuck",
    "subgroup",
    "swap_columns",
    "temperature",
    "text_case",
    "text_emoji",
    "text_language",
    "text_length",
    "text_typo",
    "text_vocabulary",
    "tilt",
    "time_format",
    "timezone",
    "typo_category",
    "wrong_join",
]

_HOMES = {
    "driftdrill.harness.seams.hook": "control",
    "driftdrill.harness.seams.load": "load",
    "driftdrill.harness.traffic.payload": (
        "BatchShape Charset ContentType DuplicateKey Gzip MergePatch "
        "Missing Null Number Padding Text Truncated UnknownKey WrongDatatype WrongShape WrongType"
    ),
    "driftdrill.shift_generators": (
        "affine between case_category clipped concept_flip concept_logit "
        "concept_reverse constant_column correlation_break duplicates edge equals gaussian_noise in_order "
        "knockout_category linear log_unit mar mcar mean_shift merge_categories mnar novel_category "
        "on_fraction on_slice outliers prior quantile_warp rescale rotation rounding scale selection "
        "shift_time shuffle_column sized sized_by stuck subgroup swap_columns temperature text_case "
        "text_emoji text_language text_length text_typo text_vocabulary tilt time_format timezone "
        "typo_category wrong_join"
    ),
    "driftdrill.stack.faults.process": (
        "CpuBurner CpuLimit CrashLoop DescriptorLimit Hang IoBurner MemoryBurner MemoryLimit hook"
    ),
    "driftdrill.stack.model_service.switches": (
        "CacheStuck Calibration ClassMap ConstantOutput DefaultImputed "
        "Dtype FeatureOrder Locale NanOutput Nondeterministic ScalerMissing ScalerTwice Slow StaleFeatures "
        "Threshold TrafficSplit UnitChange WrongVersion"
    ),
    "driftdrill.stack.faults.network": (
        "Bandwidth Delay Down Latency LimitData Patch Replace ResetPeer Slicer SlowClose Status Timeout"
    ),
    "driftdrill.stack.faults.jobs": (
        "DropByRelabel FlipHonorLabels RenameJob SampleLimit ScrapeInterval WrongPath WrongPort"
    ),
    "driftdrill.stack.faults.pages": (
        "AddLabel BucketCoverage Corrupt DropSeries DuplicateLines "
        "ExplodeCardinality Freeze HideZeros PoisonNaN RenameLabel RenameMetric ResetCounters SkewTimestamps "
        "SlowPage Truncate WorkerCounters WrongMetricType"
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
