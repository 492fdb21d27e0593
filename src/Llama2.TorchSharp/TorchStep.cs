using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace Llama2.TorchSharp;

/// <summary>A batch as the device takes it: an order of its tokens, and the numbers that say where they go, in one upload.</summary>
/// <remarks>
/// Single tokens of short sequences come first, since they are attended together; each other piece is attended alone. Pieces of one adapter stand
/// together as far as that allows. All tensors belong to the dispose scope of the step.
/// </remarks>
internal sealed class TorchStep
{
    /// <summary>The longest sequence that is attended together with others: for longer ones, copying keys and values costs more than operations.</summary>
    public const int MostTogether = 1024;

    private const int Alignment = 8;                                     // masks of other lengths are copied by libtorch

    private readonly BatchPiece[] _pieces;                               // those attended together, then the others

    public TorchStep(LlamaBatch batch, LlamaConfig config, ScalarType type, Device device, TorchRotary rotary)
    {
        BatchPiece[] together = [.. batch.Pieces.ToArray().Where(piece => piece.Count == 1 && piece.Cache.Length < MostTogether)];
        together = together.Length > 1 ? together : [];
        _pieces = [.. InRuns(together), .. InRuns(batch.Pieces.ToArray().Except(together))];
        Tokens = batch.Tokens.Length;
        long longest = together.Length == 0 ? 0 : (together.Max(piece => piece.Cache.Length) + Alignment) / Alignment * Alignment;      // this token included

        var numbers = new List<long>();
        foreach (BatchPiece piece in _pieces)
        {
            foreach (int token in batch.Tokens.Slice(piece.Start, piece.Count))
            {
                numbers.Add(token);
            }
        }

        numbers.AddRange(Positions(piece => piece.Cache.Length));
        numbers.AddRange(Positions(piece => ((TorchKeyValueCache)piece.Cache).Start + piece.Cache.Length));
        numbers.AddRange(LogitRows(batch));
        foreach (BatchPiece piece in _pieces.Take(together.Length))
        {
            for (long row = 0; row < longest; row++)                     // beyond its end any row of its own will do, since it is masked
            {
                numbers.Add(((TorchKeyValueCache)piece.Cache).Start + Math.Min(row, piece.Cache.Length));
            }
        }

        using Tensor host = empty(numbers.Count, dtype: ScalarType.Int64);
        MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(numbers)).CopyTo(host.bytes);
        Tensor uploaded = host.to(device, copy: true);
        (Ids, Tensor positions, Slots) = (uploaded.narrow(0, 0, Tokens), uploaded.narrow(0, Tokens, Tokens), uploaded.narrow(0, 2 * Tokens, Tokens));
        LogitRowsOfHidden = uploaded.narrow(0, 3 * Tokens, batch.LogitRowCount);
        Tensor angles = rotary.Angles(positions, [.. _pieces.Select(piece => (piece.Cache.Length, piece.Count))]);
        (Cosines, Sines) = (angles.narrow(1, 0, 1), angles.narrow(1, 1, 1));
        Attentions = [.. Attend()];
        Adapters = [.. Runs()];

        IEnumerable<TorchAttention> Attend()
        {
            if (together.Length > 0)
            {
                yield return TorchAttention.Together(
                    config, [.. _pieces.Take(together.Length).Select(piece => piece.Cache.Length + 1)], longest,
                    uploaded.narrow(0, 3 * Tokens + batch.LogitRowCount, together.Length * longest), type, device);
            }

            long first = together.Length;
            foreach (BatchPiece piece in _pieces.Skip(together.Length))
            {
                yield return TorchAttention.Alone(config, first, piece.Count, (TorchKeyValueCache)piece.Cache, type, device);
                first += piece.Count;
            }
        }

        IEnumerable<(TorchAdapter, int, int)> Runs()
        {
            for (int index = 0, first = 0; index < _pieces.Length;)
            {
                BackendAdapter? adapter = _pieces[index].Adapter;
                int count = 0;
                for (; index < _pieces.Length && _pieces[index].Adapter == adapter; index++)
                {
                    count += _pieces[index].Count;
                }

                if (adapter is not null)
                {
                    yield return ((TorchAdapter)adapter, first, count);
                }

                first += count;
            }
        }
    }

    public int Tokens { get; }

    public Tensor Ids { get; }                                           // [tokens]

    public Tensor Slots { get; }                                         // [tokens], the row of each in the pool

    public Tensor LogitRowsOfHidden { get; }                             // [rows], in the order that the caller wants

    public Tensor Cosines { get; }                                       // [tokens, 1, headSize]

    public Tensor Sines { get; }                                         // [tokens, 1, headSize], the first half negative

    /// <summary>What attends which tokens; their outputs, one after another, are those of all tokens.</summary>
    public IReadOnlyList<TorchAttention> Attentions { get; }

    /// <summary>The adapters of the batch with the tokens that they stand beside, as far as those follow each other.</summary>
    public IReadOnlyList<(TorchAdapter Adapter, int First, int Count)> Adapters { get; }

    /// <summary>Pieces of one adapter beside each other, in the order of their first.</summary>
    private static IEnumerable<BatchPiece> InRuns(IEnumerable<BatchPiece> pieces) => pieces.GroupBy(piece => piece.Adapter).SelectMany(run => run);

    private IEnumerable<long> Positions(Func<BatchPiece, long> first) =>
        _pieces.SelectMany(piece => Enumerable.Range(0, piece.Count).Select(i => first(piece) + i));

    private long[] LogitRows(LlamaBatch batch)
    {
        long[] rows = new long[batch.LogitRowCount];
        int first = 0;
        foreach (BatchPiece piece in _pieces)
        {
            int wanted = piece.Logits switch { Llama2.LogitRows.All => piece.Count, Llama2.LogitRows.Last => 1, _ => 0 };
            for (int i = 0; i < wanted; i++)
            {
                rows[piece.FirstLogitRow + i] = first + piece.Count - wanted + i;
            }

            first += piece.Count;
        }

        return rows;
    }
}
