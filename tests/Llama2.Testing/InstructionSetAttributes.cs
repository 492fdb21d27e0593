using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Xunit;

namespace Llama2.Testing;

/// <summary>A theory about AVX-512 code, skipped with that reason where it is missing or switched off.</summary>
public sealed class Avx512TheoryAttribute : TheoryAttribute
{
    public Avx512TheoryAttribute() => Skip = Avx512F.IsSupported ? null : "needs AVX-512";
}

/// <summary>A theory about AVX2 code, skipped with that reason where it is missing or switched off.</summary>
public sealed class Avx2TheoryAttribute : TheoryAttribute
{
    public Avx2TheoryAttribute() => Skip = Fma.IsSupported ? null : "needs AVX2";
}

/// <summary>A theory about AdvSimd code, skipped with that reason where it is missing or switched off.</summary>
public sealed class AdvSimdTheoryAttribute : TheoryAttribute
{
    public AdvSimdTheoryAttribute() => Skip = AdvSimd.Arm64.IsSupported ? null : "needs AdvSimd";
}

/// <summary>A theory about AVX-VNNI code, skipped with that reason where it is missing or switched off.</summary>
public sealed class VnniTheoryAttribute : TheoryAttribute
{
    public VnniTheoryAttribute() => Skip = AvxVnni.IsSupported && Fma.IsSupported ? null : "needs AVX-VNNI";
}

/// <summary>A theory about AVX-VNNI beside AVX-512 code, skipped with that reason where one is missing or switched off.</summary>
public sealed class Avx512VnniTheoryAttribute : TheoryAttribute
{
    public Avx512VnniTheoryAttribute() => Skip = AvxVnni.IsSupported && Avx512F.IsSupported ? null : "needs AVX-VNNI and AVX-512";
}

/// <summary>A theory about 512-bit VNNI code, skipped with that reason where it is missing or switched off.</summary>
public sealed class Vnni512TheoryAttribute : TheoryAttribute
{
    public Vnni512TheoryAttribute() => Skip = Vnni512.IsSupported ? null : "needs AVX-512's VNNI, which .NET has from version 11 on";
}

/// <summary>A theory about ARM's dot products, skipped with that reason where they are missing or switched off.</summary>
public sealed class ArmDotTheoryAttribute : TheoryAttribute
{
    public ArmDotTheoryAttribute() => Skip = Dp.IsSupported ? null : "needs the dot products of ARMv8.2";
}
