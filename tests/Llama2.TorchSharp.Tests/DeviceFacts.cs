namespace Llama2.TorchSharp.Tests;

/// <summary>A fact about the CPU device, skipped where the tests run on another.</summary>
public sealed class CpuDeviceFactAttribute : FactAttribute
{
    public CpuDeviceFactAttribute() => Skip = TestDevice.Name == "cpu" ? null : $"is about the CPU; the tests run on {TestDevice.Name}";
}

/// <summary>A fact about machines without Metal, skipped where there may be one.</summary>
public sealed class NoMetalFactAttribute : FactAttribute
{
    public NoMetalFactAttribute() => Skip = OperatingSystem.IsMacOS() ? "this machine may have a Metal device" : null;
}
