using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>What sets weights of 4 and of 8 bits in blocks of 32 apart, as constants of a type.</summary>
internal unsafe interface IBlockWeights
{
    /// <summary>What is added to a weight to make it unsigned.</summary>
    static abstract int Offset { get; }

    /// <summary>Lines of 64 bytes that hold eight columns of 16 rows.</summary>
    static abstract int Lines { get; }

    /// <summary>The next eight columns, four in each register.</summary>
    static abstract (TBytes First, TBytes Second) Load<TBytes, TFloats>(byte* weights)
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>;

    /// <summary>A sum that begins with one of <see cref="ByteTile.Starts"/>.</summary>
    static abstract TBytes Start<TBytes, TFloats>(int start)
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>;
}

/// <summary>Q4_0.</summary>
internal readonly unsafe struct NibbleWeights : IBlockWeights
{
    public static int Offset => 8;

    public static int Lines => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (TBytes First, TBytes Second) Load<TBytes, TFloats>(byte* weights)
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats>
    {
        TBytes both = TBytes.Load(weights);
        return (TBytes.LowNibbles(both), TBytes.HighNibbles(both));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TBytes Start<TBytes, TFloats>(int start)
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats> => TBytes.Start(start);
}

/// <summary>Q8_0.</summary>
internal readonly unsafe struct ByteWeights : IBlockWeights
{
    public static int Offset => 128;

    public static int Lines => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (TBytes First, TBytes Second) Load<TBytes, TFloats>(byte* weights)
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats> => (TBytes.Bytes(TBytes.Load(weights)), TBytes.Bytes(TBytes.Load(weights + 64)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TBytes Start<TBytes, TFloats>(int start)
        where TBytes : struct, IByteLanes<TBytes, TFloats>
        where TFloats : struct, IFloatLanes<TFloats> => TBytes.StartBytes(start);
}
