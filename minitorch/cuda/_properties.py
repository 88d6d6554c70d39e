"""What a GPU is: its name, what it can do, how much it has."""

from typing import Any

from ._devices import available, gpu, index_of, runtime

MIB = 1 << 20


class DeviceProperties:
    """What `get_device_properties` gives, under torch's names."""

    def __init__(self, found: Any):
        driver, index = found.driver, found.index

        def ask(name: str) -> int:
            return driver.attribute(index, name)

        self.name = driver.name(index)
        self.major, self.minor = found.capability
        self.total_memory = driver.total_memory(index)
        self.multi_processor_count = ask("multi_processor_count")
        self.is_integrated, self.is_multi_gpu_board = ask("integrated"), ask("is_multi_gpu_board")
        self.max_threads_per_multi_processor = ask("max_threads_per_multi_processor")
        self.max_threads_per_block, self.warp_size = ask("max_threads_per_block"), ask("warp_size")
        self.regs_per_multiprocessor = ask("regs_per_multiprocessor")
        self.shared_memory_per_block = ask("max_shared_memory_per_block")
        self.shared_memory_per_block_optin = ask("shared_memory_per_block_optin")
        self.shared_memory_per_multiprocessor = ask("shared_memory_per_multiprocessor")
        self.L2_cache_size, self.clock_rate = ask("l2_cache_size"), ask("clock_rate")
        self.memory_clock_rate, self.memory_bus_width = ask("memory_clock_rate"), ask("memory_bus_width")
        self.pci_bus_id, self.pci_device_id = ask("pci_bus_id"), ask("pci_device_id")
        self.pci_domain_id = ask("pci_domain_id")
        u = driver.uuid(index).hex()
        self.uuid = f"{u[:8]}-{u[8:12]}-{u[12:16]}-{u[16:20]}-{u[20:]}"

    def __repr__(self) -> str:
        return (
            f"_CudaDeviceProperties(name='{self.name}', major={self.major}, minor={self.minor}, "
            f"total_memory={self.total_memory // MIB}MB, multi_processor_count={self.multi_processor_count}, "
            f"uuid={self.uuid}, pci_bus_id={self.pci_bus_id}, pci_device_id={self.pci_device_id}, "
            f"pci_domain_id={self.pci_domain_id}, L2_cache_size={self.L2_cache_size // MIB}MB)"
        )


def get_device_properties(device: Any = None) -> DeviceProperties:
    """All of it; see `DeviceProperties`."""
    return DeviceProperties(gpu(device))


def get_device_name(device: Any = None) -> str:
    """The product's name."""
    found = gpu(device)
    return found.driver.name(found.index)


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """(major, minor) of the compute capability: (9, 0) for Hopper."""
    return gpu(device).capability


def can_device_access_peer(device: Any, peer_device: Any) -> bool:
    """Whether kernels of one GPU can read the other's memory."""
    module = runtime()
    first, second, driver = index_of(device), index_of(peer_device), module.gpu().driver
    for index in (first, second):
        if not 0 <= index < driver.device_count():
            raise AssertionError(f"Invalid {'peer ' if index == second else ''}device id")
    return driver.can_access_peer(first, second)


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether kernels compute with bfloat16: from compute capability 8.0 on without emulation."""
    return available() is not None and (including_emulation or gpu().capability >= (8, 0))


def is_tf32_supported() -> bool:
    """Whether the GPU has tensor cores that take float32 with 10 bits."""
    return available() is not None and gpu().capability >= (8, 0)


def get_arch_list() -> list[str]:
    """The architectures that kernels are compiled for: that of each GPU there is."""
    module = available()
    if not module:
        return []
    driver = module.gpu().driver
    found = {(driver.attribute(i, "major"), driver.attribute(i, "minor")) for i in range(driver.device_count())}
    return [f"sm_{major}{minor}" for major, minor in sorted(found)]
