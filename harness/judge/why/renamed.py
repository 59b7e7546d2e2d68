"""Metrics that a release of their project renamed: each with the release and where it says so.

To add one, add a line. A name that ends in ``_`` is a prefix that all its metrics share. Histograms are named without
``_bucket``, ``_sum`` and ``_count``. Only what the project's own code or notes say belongs here.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_PARTS = ("", "_bucket", "_sum", "_count", "_total")


@dataclass(frozen=True)
class Renamed:
    """One metric, or one prefix, and its new name."""

    project: str
    release: str
    old: str
    new: str
    source: str


_VLLM = "github.com/vllm-project/vllm/"
_VLLM_METRICS = "docs.vllm.ai/en/latest/design/metrics"
_NODE = "github.com/prometheus/node_exporter/blob/master/docs/example-16-compatibility-rules.yml"
_KSM = "github.com/kubernetes/kube-state-metrics/pull/1003"
_KEP = "github.com/kubernetes/enhancements/tree/master/keps/sig-instrumentation/1206-metrics-overhaul"
_SLI = "github.com/openshift/cluster-kube-apiserver-operator/pull/1546"
_CLEANUP = "github.com/kubernetes/kubernetes/pull/110337"

RENAMED: tuple[Renamed, ...] = (
    Renamed("vLLM", "0.9.2", "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc", _VLLM + "pull/18354"),
    Renamed(
        "vLLM",
        "0.11",
        "vllm:time_per_output_token_seconds",
        "vllm:inter_token_latency_seconds",
        _VLLM + "pull/24110",
    ),
    Renamed("vLLM", "V1", "vllm:time_in_queue_requests", "vllm:request_queue_time_seconds", _VLLM_METRICS),
    Renamed("node_exporter", "0.16", "node_cpu", "node_cpu_seconds_total", _NODE),
    Renamed("node_exporter", "0.16", "node_boot_time", "node_boot_time_seconds", _NODE),
    Renamed("node_exporter", "0.16", "node_time", "node_time_seconds", _NODE),
    Renamed("node_exporter", "0.16", "node_context_switches", "node_context_switches_total", _NODE),
    Renamed("node_exporter", "0.16", "node_intr", "node_intr_total", _NODE),
    Renamed("node_exporter", "0.16", "node_filesystem_free", "node_filesystem_free_bytes", _NODE),
    Renamed("node_exporter", "0.16", "node_filesystem_avail", "node_filesystem_avail_bytes", _NODE),
    Renamed("node_exporter", "0.16", "node_filesystem_size", "node_filesystem_size_bytes", _NODE),
    Renamed("node_exporter", "0.16", "node_memory_MemFree", "node_memory_MemFree_bytes", _NODE),
    Renamed("node_exporter", "0.16", "node_memory_MemAvailable", "node_memory_MemAvailable_bytes", _NODE),
    Renamed("node_exporter", "0.16", "node_memory_MemTotal", "node_memory_MemTotal_bytes", _NODE),
    Renamed("node_exporter", "0.16", "node_memory_Buffers", "node_memory_Buffers_bytes", _NODE),
    Renamed("node_exporter", "0.16", "node_memory_Cached", "node_memory_Cached_bytes", _NODE),
    Renamed("node_exporter", "0.16", "node_memory_SwapFree", "node_memory_SwapFree_bytes", _NODE),
    Renamed("node_exporter", "0.16", "node_memory_SwapTotal", "node_memory_SwapTotal_bytes", _NODE),
    Renamed("node_exporter", "0.16", "node_disk_bytes_read", "node_disk_read_bytes_total", _NODE),
    Renamed("node_exporter", "0.16", "node_disk_bytes_written", "node_disk_written_bytes_total", _NODE),
    Renamed("node_exporter", "0.16", "node_disk_io_time_ms", "node_disk_io_time_seconds_total", _NODE),
    Renamed("node_exporter", "0.16", "node_network_receive_bytes", "node_network_receive_bytes_total", _NODE),
    Renamed("node_exporter", "0.16", "node_network_transmit_bytes", "node_network_transmit_bytes_total", _NODE),
    Renamed("kube-state-metrics", "2.0", "kube_hpa_", "kube_horizontalpodautoscaler_", _KSM),
    Renamed("Kubernetes", "1.14", "apiserver_request_count", "apiserver_request_total", _KEP),
    Renamed("Kubernetes", "1.14", "apiserver_request_latencies", "apiserver_request_duration_seconds", _KEP),
    Renamed(
        "Kubernetes",
        "1.27",
        "apiserver_request_slo_duration_seconds",
        "apiserver_request_sli_duration_seconds",
        _SLI,
    ),
    Renamed("Kubernetes", "1.25", "etcd_object_counts", "apiserver_storage_objects", _CLEANUP),
)


def renamings(name: str) -> Iterator[tuple[Renamed, str]]:
    """(renaming, the other name) of a metric, whether it is the old or the new one."""
    for r in RENAMED:
        for this, other in ((r.old, r.new), (r.new, r.old)):
            if this.endswith("_"):
                if name.startswith(this):
                    yield r, other + name.removeprefix(this)
                continue
            for part in _PARTS:
                if name == this + part:
                    yield r, other + part
