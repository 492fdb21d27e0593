using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Llama2;

/// <summary>AVX-512's dot products of bytes and of words, <c>vpdpbusd</c> and <c>vpdpwssd</c> on 512 bits, which .NET exposes from version 11 on.</summary>
/// <remarks>
/// This assembly is built for .NET 10, so <c>AvxVnni.V512</c> is bound by its name when the program runs. The compiler puts the instruction itself
/// in the place of the call. Where the type is missing or the processor has no such instruction, <see cref="IsSupported"/> is false.
/// </remarks>
internal static class Vnni512
{
    private const string TypeName = "System.Runtime.Intrinsics.X86.AvxVnni+V512, System.Private.CoreLib";

    public static bool IsSupported { get; } = Avx512BW.IsSupported && Type.GetType(TypeName) is not null && V512IsSupported(null);

    /// <summary>sum + Σ a · b over the four bytes of each lane.</summary>
    /// <param name="sum">16 sums.</param>
    /// <param name="a">Unsigned bytes.</param>
    /// <param name="b">Signed bytes.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> MultiplyWideningAndAdd(Vector512<int> sum, Vector512<byte> a, Vector512<sbyte> b) => V512MultiplyWideningAndAdd(null, sum, a, b);

    /// <summary>sum + Σ a · b over the two words of each lane.</summary>
    /// <param name="sum">16 sums.</param>
    /// <param name="a">Signed words.</param>
    /// <param name="b">Signed words.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<int> MultiplyWideningAndAdd(Vector512<int> sum, Vector512<short> a, Vector512<short> b) => V512MultiplyWideningAndAdd(null, sum, a, b);

    [UnsafeAccessor(UnsafeAccessorKind.StaticMethod, Name = "get_IsSupported")]
    private static extern bool V512IsSupported([UnsafeAccessorType(TypeName)] object? type);

    [UnsafeAccessor(UnsafeAccessorKind.StaticMethod, Name = "MultiplyWideningAndAdd")]
    private static extern Vector512<int> V512MultiplyWideningAndAdd(
        [UnsafeAccessorType(TypeName)] object? type, Vector512<int> sum, Vector512<byte> a, Vector512<sbyte> b);

    [UnsafeAccessor(UnsafeAccessorKind.StaticMethod, Name = "MultiplyWideningAndAdd")]
    private static extern Vector512<int> V512MultiplyWideningAndAdd(
        [UnsafeAccessorType(TypeName)] object? type, Vector512<int> sum, Vector512<short> a, Vector512<short> b);
}
