using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>Half-precision bits as a float: the scale of every block is one.</summary>
internal static class HalfBits
{
    private const float TwoToMinus112 = 1.925929944387236e-34f;                            // 112 = 127 − 15, the exponents' biases

    /// <summary>The value of the half that a block stores; exact. A few integer operations, where <c>(float)Half</c> costs several times more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float ToSingle(ushort bits)
    {
        uint shifted = (uint)bits << 17;                                                   // exponent and fraction at the top, sign gone
        float normal = BitConverter.UInt32BitsToSingle((shifted >> 4) + (224u << 23)) * TwoToMinus112;
        float subnormal = BitConverter.UInt32BitsToSingle((shifted >> 17) | (126u << 23)) - 0.5f;    // fraction · 2⁻²⁴ after 0.5
        uint magnitude = BitConverter.SingleToUInt32Bits(shifted < 1u << 27 ? subnormal : normal);
        return BitConverter.UInt32BitsToSingle(((uint)(bits & 0x8000) << 16) | magnitude);
    }

    /// <summary>The half at the beginning of a block's field, little endian.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Read(ReadOnlySpan<byte> field) => ToSingle((ushort)(field[0] | field[1] << 8));

    /// <summary>Stores the nearest half, ties to even.</summary>
    public static void Write(Span<byte> field, float value) =>
        System.Buffers.Binary.BinaryPrimitives.WriteHalfLittleEndian(field, (Half)value);
}
