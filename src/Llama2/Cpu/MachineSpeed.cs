using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Llama2;

/// <summary>How fast this machine could multiply at best, measured: the floors that reading a prompt is held against.</summary>
/// <param name="FloatProductsPerSecond">Fused multiply-adds of singles in registers: one product and one addition each.</param>
/// <param name="ShortProductsPerSecond">Products of 16-bit integers with their additions, by the kernel of F16 and BF16 on operands in the first cache.</param>
/// <param name="ByteProductsPerSecond">Products of bytes with their additions, by the kernel of Q8_0 on operands in the first caches.</param>
/// <param name="NibbleProductsPerSecond">The same by the kernel of Q4_0.</param>
internal readonly record struct MachineSpeed(
    double FloatProductsPerSecond, double ShortProductsPerSecond, double ByteProductsPerSecond, double NibbleProductsPerSecond)
{
    private const int Rounds = 5;

    /// <summary>Measures for about a second: the best of several rounds, since a neighbour can only make them slower.</summary>
    /// <param name="threads">Threads, as for a model.</param>
    public static MachineSpeed Measure(int threads)
    {
        using var workers = new WorkerGroup(threads);
        return new(Floats(workers), Integers(WeightFormat.F16, workers), Integers(WeightFormat.Q8_0, workers), Integers(WeightFormat.Q4_0, workers));
    }

    private static unsafe double Floats(WorkerGroup workers)
    {
        const int Steps = 4_000_000;
        float sink = 0;
        int lanes = Floats512.IsSupported ? 16 : Floats256.IsSupported ? 8 : Floats128.IsSupported ? 4 : 1;
        double best = Best(() => workers.For(workers.Threads, (_, _) =>
            sink = Floats512.IsSupported ? Chains<Floats512>(Steps) : Floats256.IsSupported ? Chains<Floats256>(Steps) : Floats128.IsSupported ? Chains<Floats128>(Steps) : Chains<Floats32>(Steps)));
        return float.IsNaN(sink) ? 0 : 10.0 * Steps * lanes * workers.Threads / best;
    }

    private static unsafe double Integers(WeightFormat format, WorkerGroup workers)
    {
        const int Repeats = 8000;
        int columns = format == WeightFormat.F16 ? 256 : 512;                 // a stripe of which the first cache holds
        int inputs = StripeKernels.InputsOf(format);
        using var stripes = new AlignedMemory(workers.Threads * StripePacker.StripeBytes(format, columns));
        using var values = new AlignedMemory(inputs * columns * sizeof(float));
        using var sums = new AlignedMemory(workers.Threads * inputs * WeightMatrix.StripeRows * sizeof(float));
        using var tiles = new InputTiles();
        tiles.Begin(values.Floats, inputs, columns, inputs);
        tiles.BeginShorts();
        tiles.FillShorts(0);
        tiles.BeginBytes();
        tiles.FillBytes(0);
        byte* stripe = stripes.Pointer;
        float* sum = sums.Floats;
        (ShortTile shorts, ByteTile bytes) = (tiles.Shorts(0), tiles.Bytes(0));
        double best = Best(() => workers.For(workers.Threads, (_, part) =>
        {
            byte* weights = stripe + part * StripePacker.StripeBytes(format, columns);
            float* to = sum + part * inputs * WeightMatrix.StripeRows;
            for (int i = 0; i < Repeats; i++)
            {
                if (format == WeightFormat.F16)
                {
                    StripeKernels.MultiplyShorts(weights, count: 1, shorts, inputs, columns, to, cached: true);
                }
                else
                {
                    StripeKernels.MultiplyBytes(format, weights, count: 1, bytes, inputs, columns, to, cached: true);
                }
            }
        }));
        return (double)Repeats * inputs * WeightMatrix.StripeRows * columns * workers.Threads / best;
    }

    private static double Best(Action run)
    {
        double best = double.PositiveInfinity;
        for (int round = 0; round < Rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            run();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }

    /// <summary>Ten independent chains, more than any core needs to hide how long one step takes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe float Chains<TFloats>(int steps)
        where TFloats : struct, IFloatLanes<TFloats>
    {
        TFloats half = TFloats.Broadcast(0.5f), one = TFloats.Broadcast(1);
        TFloats a = one, b = one, c = one, d = one, e = one, f = one, g = one, h = one, i = one, j = one;
        for (int step = 0; step < steps; step++)
        {
            a = TFloats.MultiplyAdd(a, half, one);
            b = TFloats.MultiplyAdd(b, half, one);
            c = TFloats.MultiplyAdd(c, half, one);
            d = TFloats.MultiplyAdd(d, half, one);
            e = TFloats.MultiplyAdd(e, half, one);
            f = TFloats.MultiplyAdd(f, half, one);
            g = TFloats.MultiplyAdd(g, half, one);
            h = TFloats.MultiplyAdd(h, half, one);
            i = TFloats.MultiplyAdd(i, half, one);
            j = TFloats.MultiplyAdd(j, half, one);
        }

        TFloats sum = TFloats.MultiplyAdd(a, b, TFloats.MultiplyAdd(c, d, TFloats.MultiplyAdd(e, f, TFloats.MultiplyAdd(g, h, TFloats.Multiply(i, j)))));
        float* lanes = stackalloc float[16];
        TFloats.Store(sum, lanes);
        return *lanes;
    }
}
