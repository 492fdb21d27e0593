using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>Rows without blocks: F32, F16 and BF16, little endian as in memory.</summary>
/// <remarks>Loading is over before the runtime would have found these loops worth its better code, so they ask for it at once.</remarks>
internal static class PlainRows
{
    public static void DecodeF32(ReadOnlySpan<byte> row, Span<float> destination) => row.CopyTo(MemoryMarshal.AsBytes(destination));

    public static void EncodeF32(ReadOnlySpan<float> row, Span<byte> destination) => MemoryMarshal.AsBytes(row).CopyTo(destination);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void DecodeF16(ReadOnlySpan<byte> row, Span<float> destination)
    {
        ReadOnlySpan<short> halves = MemoryMarshal.Cast<byte, short>(row);
        if (!HalfBits.AreFinite(MemoryMarshal.Cast<byte, ushort>(row)))
        {
            TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(row), destination);       // keeps what a NaN carries
            return;
        }

        int i = 0;
        for (; Vector512.IsHardwareAccelerated && i <= halves.Length - 32; i += 32)
        {
            (Vector512<int> first, Vector512<int> second) = Vector512.Widen(Vector512.Create(halves[i..]));
            HalfBits.FiniteToSingle(first).CopyTo(destination[i..]);
            HalfBits.FiniteToSingle(second).CopyTo(destination[(i + 16)..]);
        }

        for (; i <= halves.Length - 16; i += 16)
        {
            (Vector256<int> first, Vector256<int> second) = Vector256.Widen(Vector256.Create(halves[i..]));
            HalfBits.FiniteToSingle(first).CopyTo(destination[i..]);
            HalfBits.FiniteToSingle(second).CopyTo(destination[(i + 8)..]);
        }

        DecodeF16Scalar(row[(2 * i)..], destination[i..halves.Length]);
    }

    public static void DecodeF16Scalar(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = HalfBits.Read(row[(2 * i)..]);
        }
    }

    public static void EncodeF16(ReadOnlySpan<float> row, Span<byte> destination) =>
        TensorPrimitives.ConvertToHalf(row, MemoryMarshal.Cast<byte, Half>(destination));

    public static void EncodeF16Scalar(ReadOnlySpan<float> row, Span<byte> destination)
    {
        for (int i = 0; i < row.Length; i++)
        {
            HalfBits.Write(destination[(2 * i)..], row[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void DecodeBF16(ReadOnlySpan<byte> row, Span<float> destination)
    {
        ReadOnlySpan<ushort> halves = MemoryMarshal.Cast<byte, ushort>(row);
        Span<uint> bits = MemoryMarshal.Cast<float, uint>(destination);
        int i = 0;
        for (; i <= halves.Length - 16; i += 16)                                           // 16 upper halves → 2 × 8 whole floats
        {
            (Vector256<uint> first, Vector256<uint> second) = Vector256.Widen(Vector256.Create(halves[i..]));
            (first << 16).CopyTo(bits[i..]);
            (second << 16).CopyTo(bits[(i + 8)..]);
        }

        DecodeBF16Scalar(row[(2 * i)..], destination[i..]);
    }

    public static void DecodeBF16Scalar(ReadOnlySpan<byte> row, Span<float> destination)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = BitConverter.UInt32BitsToSingle((uint)(row[2 * i] | row[2 * i + 1] << 8) << 16);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void EncodeBF16(ReadOnlySpan<float> row, Span<byte> destination)
    {
        ReadOnlySpan<uint> bits = MemoryMarshal.Cast<float, uint>(row);
        Span<ushort> halves = MemoryMarshal.Cast<byte, ushort>(destination);
        int i = 0;
        for (; i <= bits.Length - 16; i += 16)                                             // 2 × 8 floats → 16 upper halves
        {
            Vector256.Narrow(Upper(Vector256.Create(bits[i..])), Upper(Vector256.Create(bits[(i + 8)..]))).CopyTo(halves[i..]);
        }

        EncodeBF16Scalar(row[i..], destination[(2 * i)..]);

        static Vector256<uint> Upper(Vector256<uint> value) => Vector256.ConditionalSelect(
            Vector256.IsNaN(value.AsSingle()).AsUInt32(),
            (value >> 16) | Vector256.Create(0x40u),
            (value + Vector256.Create(0x7FFFu) + ((value >> 16) & Vector256<uint>.One)) >> 16);
    }

    public static void EncodeBF16Scalar(ReadOnlySpan<float> row, Span<byte> destination)
    {
        for (int i = 0; i < row.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(row[i]);
            uint upper = float.IsNaN(row[i])
                ? (bits >> 16) | 0x40                                                      // stays a NaN where its payload lay in the lower half
                : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;                              // to nearest, ties to even
            (destination[2 * i], destination[2 * i + 1]) = ((byte)upper, (byte)(upper >> 8));
        }
    }
}
