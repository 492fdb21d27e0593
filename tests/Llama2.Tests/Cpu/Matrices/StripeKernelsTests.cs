using System.Runtime.Intrinsics.X86;

namespace Llama2.Tests;

public class StripeKernelsTests
{
    [Fact]
    public void InstructionSet_SwitchedOff_IsNotUsed()
    {
        if (Environment.GetEnvironmentVariable("DOTNET_EnableAVX512") == "0")
        {
            Assert.False(Avx512F.IsSupported);
        }

        if (Environment.GetEnvironmentVariable("DOTNET_EnableAVX2") == "0")
        {
            Assert.False(Avx2.IsSupported);
        }

        if (Environment.GetEnvironmentVariable("DOTNET_EnableHWIntrinsic") == "0")
        {
            Assert.Equal("scalar", StripeKernels.InstructionSet);
        }

        Assert.Equal(Avx512BW.IsSupported, StripeKernels.InstructionSet.StartsWith("AVX-512", StringComparison.Ordinal));
        Assert.Equal(Vnni512.IsSupported, StripeKernels.InstructionSet == "AVX-512 with VNNI");
    }
}
