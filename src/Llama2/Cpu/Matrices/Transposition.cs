using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>Small squares of rows turned into columns in registers; for processors of which <see cref="IsSupported"/> is true.</summary>
internal static unsafe class Transposition
{
    public static bool IsSupported => Sse2.IsSupported || AdvSimd.Arm64.IsSupported;

    /// <summary>Four rows of four words: what comes back are the first words of all rows, the second ones, and so on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector128<uint> First, Vector128<uint> Second, Vector128<uint> Third, Vector128<uint> Fourth) Four(byte* row, nint stride)
    {
        (Vector128<uint> a, Vector128<uint> b) = Zip(Vector128.Load(row).AsUInt32(), Vector128.Load(row + 2 * stride).AsUInt32());
        (Vector128<uint> c, Vector128<uint> d) = Zip(Vector128.Load(row + stride).AsUInt32(), Vector128.Load(row + 3 * stride).AsUInt32());
        (Vector128<uint> first, Vector128<uint> second) = Zip(a, c);
        (Vector128<uint> third, Vector128<uint> fourth) = Zip(b, d);
        return (first, second, third, fourth);
    }

    /// <summary>Eight rows of eight halves: each store writes one column of them.</summary>
    /// <param name="rows">The first of eight rows that are <paramref name="stride"/> halves apart.</param>
    /// <param name="stride">Distance of two rows.</param>
    /// <param name="columns">The first of eight columns that are <paramref name="distance"/> halves apart.</param>
    /// <param name="distance">Distance of two columns.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Eight(ushort* rows, nint stride, ushort* columns, nint distance)
    {
        (Vector128<ushort> a, Vector128<ushort> b) = Zip(Vector128.Load(rows), Vector128.Load(rows + 4 * stride));
        (Vector128<ushort> c, Vector128<ushort> d) = Zip(Vector128.Load(rows + stride), Vector128.Load(rows + 5 * stride));
        (Vector128<ushort> e, Vector128<ushort> f) = Zip(Vector128.Load(rows + 2 * stride), Vector128.Load(rows + 6 * stride));
        (Vector128<ushort> g, Vector128<ushort> h) = Zip(Vector128.Load(rows + 3 * stride), Vector128.Load(rows + 7 * stride));
        ((a, e), (b, f), (c, g), (d, h)) = (Zip(a, e), Zip(b, f), Zip(c, g), Zip(d, h));              // rows 0, 2, 4, 6 and 1, 3, 5, 7
        Store(Zip(a, c), columns, distance);
        Store(Zip(e, g), columns + 2 * distance, distance);
        Store(Zip(b, d), columns + 4 * distance, distance);
        Store(Zip(f, h), columns + 6 * distance, distance);

        static void Store((Vector128<ushort> First, Vector128<ushort> Second) two, ushort* to, nint distance)
        {
            two.First.Store(to);
            two.Second.Store(to + distance);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<uint> First, Vector128<uint> Second) Zip(Vector128<uint> a, Vector128<uint> b) =>
        Sse2.IsSupported ? (Sse2.UnpackLow(a, b), Sse2.UnpackHigh(a, b)) : (AdvSimd.Arm64.ZipLow(a, b), AdvSimd.Arm64.ZipHigh(a, b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<ushort> First, Vector128<ushort> Second) Zip(Vector128<ushort> a, Vector128<ushort> b) =>
        Sse2.IsSupported ? (Sse2.UnpackLow(a, b), Sse2.UnpackHigh(a, b)) : (AdvSimd.Arm64.ZipLow(a, b), AdvSimd.Arm64.ZipHigh(a, b));
}
