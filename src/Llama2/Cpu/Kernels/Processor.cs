using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>What instructions alone do not tell about the processor.</summary>
internal static class Processor
{
    private const int Genu = 0x756E6547, Auth = 0x68747541;                // the first letters of the makers' names

    /// <summary>Intel's.</summary>
    public static bool IsIntel { get; } = Maker() == Genu;

    /// <summary>AMD's family 25: Zen 4 and, never measured, Zen 3.</summary>
    public static bool IsZen4 { get; } = Maker() == Auth && Family() == 25;

    /// <summary>AMD's family 26.</summary>
    public static bool IsZen5 { get; } = Maker() == Auth && Family() == 26;

    private static int Maker() => X86Base.IsSupported ? X86Base.CpuId(0, 0).Ebx : 0;

    /// <summary>The base family and the extended one, which counts from 15.</summary>
    private static int Family()
    {
        int signature = X86Base.CpuId(1, 0).Eax;
        return ((signature >> 8) & 15) + ((signature >> 20) & 255);
    }
}
