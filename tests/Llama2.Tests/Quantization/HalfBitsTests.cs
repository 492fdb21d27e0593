using System.Runtime.Intrinsics;

namespace Llama2.Tests;

public class HalfBitsTests
{
    [Fact]
    public void ToSingle_EveryHalf_IsTheValueOfTheHalf()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            float expected = (float)BitConverter.UInt16BitsToHalf((ushort)bits);
            Assert.Equal(BitConverter.SingleToUInt32Bits(expected), BitConverter.SingleToUInt32Bits(HalfBits.ToSingle((ushort)bits)));
        }
    }

    [Fact]
    public void ToSingle_EveryHalfInVectors_IsTheValueOfTheHalfOrStaysNotFinite()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            float expected = (float)BitConverter.UInt16BitsToHalf((ushort)bits);
            int extended = (short)bits;
            foreach (float value in (float[])
                [HalfBits.ToSingle(Vector512.Create(extended))[15], HalfBits.ToSingle(Vector256.Create(extended))[7], HalfBits.ToSingle(Vector128.Create(extended))[3]])
            {
                Assert.True(float.IsFinite(expected) ? BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(value) : !float.IsFinite(value), $"{bits:X4}: {value}");
            }
        }
    }

    [Fact]
    public void FiniteToSingle_EveryFiniteHalf_IsItsValue()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            float expected = (float)BitConverter.UInt16BitsToHalf((ushort)bits);
            int extended = (short)bits;
            float[] values =
                [HalfBits.FiniteToSingle(Vector512.Create(extended))[15], HalfBits.FiniteToSingle(Vector256.Create(extended))[7], HalfBits.FiniteToSingle(Vector128.Create(extended))[3]];
            Assert.True(!float.IsFinite(expected) || values.All(value => BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(value)), $"{bits:X4}");
        }
    }

    [Fact]
    public void Raise_EveryHalfBelow64_ComesBackExactly()
    {
        ushort[] halves = [.. Enumerable.Range(0, 0x5400).Concat(Enumerable.Range(0x8000, 0x5400)).Select(bits => (ushort)bits)];
        ushort[] raised = [.. halves];
        Assert.True(HalfBits.Raise(raised.AsSpan(3)));                                  // no whole number of registers
        for (int i = 3; i < halves.Length; i++)
        {
            float expected = (float)BitConverter.UInt16BitsToHalf(halves[i]);
            Assert.Equal(1024 * expected, (float)BitConverter.UInt16BitsToHalf(raised[i]));
            int extended = (short)raised[i];
            float[] values =
            [
                HalfBits.RaisedToSingle(Vector512.Create(extended))[15], HalfBits.RaisedToSingle(Vector256.Create(extended))[7],
                HalfBits.RaisedToSingle(Vector128.Create(extended))[3], HalfBits.ToSingle(raised[i], raised: true),
            ];
            Assert.All(values, value => Assert.Equal(BitConverter.SingleToInt32Bits(expected), BitConverter.SingleToInt32Bits(value)));
            float[] inPlace = [HalfBits.InPlace(Vector512.Create(extended))[15], HalfBits.InPlace(Vector256.Create(extended))[7], HalfBits.InPlace(Vector128.Create(extended))[3]];
            Assert.All(inPlace, value => Assert.Equal(expected * HalfBits.InPlaceOfRaised, value));
        }

        HalfBits.Lower(raised.AsSpan(3));
        Assert.Equal(halves, raised);
    }

    [Theory]
    [InlineData(0x5400)]                                                                   // 64
    [InlineData(0xD400)]
    [InlineData(0x7BFF)]
    [InlineData(0x7C00)]                                                                   // infinite
    [InlineData(0xFE00)]                                                                   // NaN
    public void Raise_OneLargeHalfAtAnyPlace_IsSeen(ushort large)
    {
        ushort[] halves = [.. Enumerable.Range(0, 131).Select(i => (ushort)(i * 77))];
        for (int place = 0; place < halves.Length; place++)
        {
            ushort[] given = [.. halves];
            given[place] = large;
            Assert.False(HalfBits.Raise(given));
        }
    }

    [Fact]
    public void AreFinite_OneHalfAtAnyPlace_IsSeen()
    {
        ushort[] halves = [.. Enumerable.Repeat((ushort)0xFBFF, 131)];                     // −65504
        Assert.True(HalfBits.AreFinite(halves));
        Assert.True(HalfBits.AreFinite([]));
        for (int place = 0; place < halves.Length; place++)
        {
            foreach (ushort strange in (ushort[])[0x7C00, 0xFC00, 0x7C01, 0xFFFF])
            {
                halves[place] = strange;
                Assert.False(HalfBits.AreFinite(halves));
            }

            halves[place] = 0x7BFF;
            Assert.True(HalfBits.AreFinite(halves));
        }
    }

    [Fact]
    public void Read_StoredHalf_IsLittleEndian() => Assert.Equal(1f, HalfBits.Read([0x00, 0x3C]));

    [Fact]
    public void FromSingle_AroundEveryHalf_IsTheNearestHalf()
    {
        for (int bits = 0; bits < 0x7C00; bits++)
        {
            // The half, what lies in the middle between it and the next one, and the singles beside both.
            float half = (float)BitConverter.UInt16BitsToHalf((ushort)bits);
            float middle = bits == 0x7BFF ? 65519.996f : (half + (float)BitConverter.UInt16BitsToHalf((ushort)(bits + 1))) / 2;
            float[] values = [half, float.BitIncrement(half), float.BitDecrement(middle), middle, bits == 0x7BFF ? middle : float.BitIncrement(middle), -half, -middle, -float.BitDecrement(middle)];
            Vector256<int> halves = HalfBits.FromSingle(Vector256.Create(values));
            Assert.Equal(values.Select(value => (int)BitConverter.HalfToUInt16Bits((Half)value)), Enumerable.Range(0, 8).Select(i => halves[i]));
        }
    }

    [Fact]
    public void Write_ValueBetweenHalves_TakesTheEvenOne()
    {
        byte[] field = new byte[2];
        HalfBits.Write(field, 1 + 1 / 2048f);                                              // between 1 and 1 + 2⁻¹⁰
        Assert.Equal([0x00, 0x3C], field);
        HalfBits.Write(field, 1 + 3 / 2048f);                                              // between 1 + 2⁻¹⁰ and 1 + 2⁻⁹
        Assert.Equal([0x02, 0x3C], field);
    }
}
