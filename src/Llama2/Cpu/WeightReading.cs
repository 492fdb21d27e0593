using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Llama2;

/// <summary>Reads weights and does nothing with them: the floor of decoding, which reads each of them once for a token.</summary>
/// <remarks>In the order of a forward pass and on the threads of the model; once reading ahead as the kernels do, once leaving that to the processor, since either may be faster.</remarks>
internal sealed unsafe class WeightReading
{
    private const int LeastRounds = 2;
    private const long PieceBytes = 1 << 20;
    private const int StepBytes = 128;

    private readonly WorkerGroup _workers;
    private readonly List<(nint Start, long Bytes)> _pieces = [];
    private ReadAhead _way;
    private long _bits;                                          // of all that was read, so that reading is not optimized away

    public WeightReading(IEnumerable<WeightMatrix> matrices, WorkerGroup workers)
    {
        _workers = workers;
        foreach (WeightMatrix matrix in matrices)
        {
            for (long at = 0; at < matrix.ByteSize; at += PieceBytes)
            {
                _pieces.Add(((nint)matrix.Weights + (nint)at, Math.Min(PieceBytes, matrix.ByteSize - at)));
            }
        }
    }

    /// <summary>Reads all of it again and again.</summary>
    /// <param name="time">For how long at least.</param>
    /// <returns>Bytes per second: the median of the rounds that read faster.</returns>
    public double Measure(TimeSpan time)
    {
        List<double> ahead = [], plain = [];
        for (long start = Stopwatch.GetTimestamp(); plain.Count < LeastRounds || Stopwatch.GetElapsedTime(start) < time;)
        {
            foreach (List<double> rounds in (List<double>[])[ahead, plain])
            {
                _way = rounds == ahead ? ReadAheads.OfMemory : ReadAhead.None;
                long round = Stopwatch.GetTimestamp();
                _workers.For(_pieces.Count, ReadPiece);
                rounds.Add(Stopwatch.GetElapsedTime(round).TotalSeconds);
            }
        }

        return _pieces.Sum(piece => piece.Bytes) / Math.Min(Median(ahead), Median(plain));

        static double Median(List<double> rounds) => rounds.Order().ElementAt(rounds.Count / 2);
    }

    private void ReadPiece(int worker, int item)
    {
        (nint start, long bytes) = _pieces[item];
        long bits = _way switch
        {
            ReadAhead.None => Bits<NothingAhead>((byte*)start, bytes),
            ReadAhead.Lines => Bits<LinesAhead>((byte*)start, bytes),
            _ => Bits<PagesAhead>((byte*)start, bytes),
        };
        Interlocked.Or(ref _bits, bits);
    }

    /// <summary>All bytes, but for less than 128 at the end.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static long Bits<TAhead>(byte* start, long bytes)
        where TAhead : struct, IReadAhead
    {
        Vector256<long> a = default, b = default, c = default, d = default;
        for (byte* at = start, end = start + bytes - StepBytes; at <= end; at += StepBytes)
        {
            default(TAhead).Of(at);
            default(TAhead).Of(at + 64);
            a |= Vector256.Load((long*)at);
            b |= Vector256.Load((long*)(at + 32));
            c |= Vector256.Load((long*)(at + 64));
            d |= Vector256.Load((long*)(at + 96));
        }

        return Vector256.Sum(a | b | c | d);
    }
}
