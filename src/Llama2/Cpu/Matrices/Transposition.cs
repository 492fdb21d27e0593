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

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector128<uint> First, Vector128<uint> Second) Zip(Vector128<uint> a, Vector128<uint> b) =>
        Sse2.IsSupported ? (Sse2.UnpackLow(a, b), Sse2.UnpackHigh(a, b)) : (AdvSimd.Arm64.ZipLow(a, b), AdvSimd.Arm64.ZipHigh(a, b));
}
