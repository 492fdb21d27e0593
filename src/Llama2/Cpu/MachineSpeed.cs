using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>What this machine could do at best, measured: the floors that a forward pass is held against.</summary>
/// <param name="ReadBytesPerSecond">Reading memory far larger than the caches, in huge pages where the system has them, for half a second.</param>
/// <param name="FloatProductsPerSecond">Fused multiply-adds of singles in registers: one product and one addition each.</param>
/// <param name="ByteProductsPerSecond">Products of bytes with their additions, by the kernel of Q8_0 on operands in the first caches.</param>
/// <param name="NibbleProductsPerSecond">The same by the kernel of Q4_0.</param>
internal readonly record struct MachineSpeed(
    double ReadBytesPerSecond, double FloatProductsPerSecond, double ByteProductsPerSecond, double NibbleProductsPerSecond)
{
    private const long ReadBytes = 512 << 20;
    private const int Rounds = 5;
    private const double ReadSeconds = 0.5;

    /// <summary>Measures for about two seconds.</summary>
    /// <remarks>
    /// Products are the best of several rounds, since a neighbour can only make them slower. Reading is a median, as the speeds are that it is held
    /// against: memory that is shared gives twice as much for moments, and nobody decodes in moments.
    /// </remarks>
    /// <param name="threads">Threads, as for a model.</param>
    public static MachineSpeed Measure(int threads)
    {
        using var workers = new WorkerGroup(threads);
        return new(Read(workers), Floats(workers), Integers(WeightFormat.Q8_0, workers), Integers(WeightFormat.Q4_0, workers));
    }

    private static unsafe double Read(WorkerGroup workers)
    {
        using var memory = new AlignedMemory(ReadBytes);
        byte* start = memory.Pointer;
        long share = ReadBytes / workers.Threads / 4096 * 4096;
        workers.For(workers.Threads, (_, part) => new Span<byte>(start + part * share, (int)share).Fill(1));      // pages of zeros may be one page
        long sink = 0;
        List<double> rounds = [];
        for (long begin = Stopwatch.GetTimestamp(); rounds.Count < Rounds || Stopwatch.GetElapsedTime(begin).TotalSeconds < ReadSeconds;)
        {
            long round = Stopwatch.GetTimestamp();
            workers.For(workers.Threads, (_, part) => Interlocked.Add(ref sink, Sum(start + part * share, share)));
            rounds.Add(Stopwatch.GetElapsedTime(round).TotalSeconds);
        }

        return sink == 0 ? 0 : share * workers.Threads / rounds.Order().ElementAt(rounds.Count / 2);
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
        const int Columns = 512, Repeats = 8000;
        using var stripes = new AlignedMemory(workers.Threads * StripePacker.StripeBytes(format, Columns));
        using var inputs = new AlignedMemory(InputTiles.MostTileRows * Columns * sizeof(float));
        using var sums = new AlignedMemory(workers.Threads * InputTiles.MostTileRows * WeightMatrix.StripeRows * sizeof(float));
        using var tiles = new InputTiles();
        tiles.Begin(inputs.Floats, InputTiles.MostTileRows, Columns);
        tiles.BeginBytes();
        tiles.FillBytes(0);
        byte* stripe = stripes.Pointer;
        float* sum = sums.Floats;
        ByteTile tile = tiles.Bytes(0);
        double best = Best(() => workers.For(workers.Threads, (_, part) =>
        {
            for (int i = 0; i < Repeats; i++)
            {
                StripeKernels.MultiplyBytes(
                    format, stripe + part * StripePacker.StripeBytes(format, Columns), tile, InputTiles.MostTileRows, Columns,
                    sum + part * InputTiles.MostTileRows * WeightMatrix.StripeRows);
            }
        }));
        return (double)Repeats * InputTiles.MostTileRows * WeightMatrix.StripeRows * Columns * workers.Threads / best;
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static unsafe long Sum(byte* start, long length)
    {
        Vector256<long> a = default, b = default, c = default, d = default;
        for (byte* at = start; at < start + length; at += 128)
        {
            ReadAhead.Of(at);
            ReadAhead.Of(at + 64);
            a |= Vector256.Load((long*)at);
            b |= Vector256.Load((long*)(at + 32));
            c |= Vector256.Load((long*)(at + 64));
            d |= Vector256.Load((long*)(at + 96));
        }

        return Vector256.Sum(a | b | c | d);
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
