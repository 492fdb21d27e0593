using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>How plain weights lie in memory: a type of <see cref="IPlainWeights"/> for each, since a kernel is compiled for one.</summary>
internal enum PlainForm
{
    /// <summary><see cref="Llama2.Singles"/>.</summary>
    Singles,

    /// <summary><see cref="Llama2.Halves"/>.</summary>
    Halves,

    /// <summary><see cref="Llama2.RaisedHalves"/>.</summary>
    RaisedHalves,

    /// <summary><see cref="Llama2.HalvesInPlace"/>.</summary>
    HalvesInPlace,
}

/// <summary>How plain weights lie in memory, as a constant of a type.</summary>
internal unsafe interface IPlainWeights
{
    /// <summary>Bytes of a weight.</summary>
    static abstract int Size { get; }

    static abstract TFloats Load<TFloats>(byte* weights)
        where TFloats : struct, IFloatLanes<TFloats>;
}

/// <summary>F32.</summary>
internal readonly unsafe struct Singles : IPlainWeights
{
    public static int Size => sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TFloats Load<TFloats>(byte* weights)
        where TFloats : struct, IFloatLanes<TFloats> => TFloats.Load((float*)weights);
}

/// <summary>F16.</summary>
internal readonly unsafe struct Halves : IPlainWeights
{
    public static int Size => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TFloats Load<TFloats>(byte* weights)
        where TFloats : struct, IFloatLanes<TFloats> => TFloats.LoadHalves((ushort*)weights);
}

/// <summary>F16 that is raised (<see cref="HalfBits.Raise"/>): the same bits in fewer instructions.</summary>
internal readonly unsafe struct RaisedHalves : IPlainWeights
{
    public static int Size => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TFloats Load<TFloats>(byte* weights)
        where TFloats : struct, IFloatLanes<TFloats> => TFloats.LoadRaisedHalves((ushort*)weights);
}

/// <summary>F16 that may be raised, as a power of two times its value (<see cref="HalfBits.InPlace(System.Runtime.Intrinsics.Vector128{int})"/>): no product to widen it, but other inputs.</summary>
internal readonly unsafe struct HalvesInPlace : IPlainWeights
{
    public static int Size => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TFloats Load<TFloats>(byte* weights)
        where TFloats : struct, IFloatLanes<TFloats> => TFloats.LoadHalvesInPlace((ushort*)weights);
}
