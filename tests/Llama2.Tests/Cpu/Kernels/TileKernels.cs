namespace Llama2.Tests;

/// <summary>A kernel for each number of inputs of a tile.</summary>
/// <typeparam name="TKernel">Its delegate.</typeparam>
internal interface ITileKernels<TKernel>
{
    TKernel Get<TRows>()
        where TRows : struct, ITileRows;
}

internal static class TileKernels
{
    /// <summary>The kernel for so many inputs.</summary>
    public static TKernel Of<TKernel>(this ITileKernels<TKernel> kernels, int rows) => rows switch
    {
        1 => kernels.Get<OneRow>(),
        2 => kernels.Get<TwoRows>(),
        3 => kernels.Get<ThreeRows>(),
        4 => kernels.Get<FourRows>(),
        5 => kernels.Get<FiveRows>(),
        6 => kernels.Get<SixRows>(),
        7 => kernels.Get<SevenRows>(),
        _ => kernels.Get<EightRows>(),
    };
}
