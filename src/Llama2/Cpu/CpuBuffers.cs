namespace Llama2;

/// <summary>The activations of a forward pass, row after row for the tokens of the batch; grown to the largest batch, then reused.</summary>
internal sealed unsafe class CpuBuffers : IDisposable
{
    private readonly LlamaConfig _config;
    private readonly AlignedMemory[] _scratch;                           // one stripe of decoded rows per thread
    private readonly AlignedMemory[] _scores;                            // [longest sequence] per thread
    private AlignedMemory _rows = new(0);
    private int _capacity;

    public CpuBuffers(LlamaConfig config, int threads, long scratchFloats)
    {
        _config = config;
        _scratch = [.. Enumerable.Range(0, threads).Select(_ => new AlignedMemory(scratchFloats * sizeof(float)))];
        _scores = [.. Enumerable.Range(0, threads).Select(_ => new AlignedMemory(0))];
    }

    public float* Hidden { get; private set; }                           // [tokens, hidden], the residual stream

    public float* Normed { get; private set; }                           // [tokens, hidden]

    public float* Branch { get; private set; }                           // [tokens, hidden], what a half of the block adds

    public float* Query { get; private set; }                            // [tokens, heads, headSize]

    public float* Key { get; private set; }                              // [tokens, kvHeads, headSize]

    public float* Value { get; private set; }                            // [tokens, kvHeads, headSize]

    public float* Attended { get; private set; }                         // [tokens, heads, headSize]

    public float* Gate { get; private set; }                             // [tokens, ffn]

    public float* Up { get; private set; }                               // [tokens, ffn]

    public float* Cosines { get; private set; }                          // [tokens, headSize / 2]

    public float* Sines { get; private set; }                            // [tokens, headSize / 2]

    /// <summary>The position of each token in its sequence.</summary>
    public int[] Positions { get; private set; } = [];

    /// <summary>The cache of each token's sequence.</summary>
    public CpuKeyValueCache[] Caches { get; private set; } = [];

    /// <summary>Bytes of the buffers for one token, scores and scratch not counted.</summary>
    public static long BytesPerToken(LlamaConfig config) => sizeof(float) * (
        3L * config.HiddenSize + 2L * config.HeadCount * config.HeadSize + 2L * config.KeyValueHeadCount * config.HeadSize +
        2L * config.IntermediateSize + config.HeadSize);

    public float* Scratch(int worker) => _scratch[worker].Floats;

    public float* Scores(int worker) => _scores[worker].Floats;

    /// <summary>Makes room for the batch and writes each token's position, cache and angles.</summary>
    public void Prepare(LlamaBatch batch, RotaryEmbedding rotary)
    {
        int longest = 0, half = _config.HeadSize / 2;
        Reserve(batch.Tokens.Length);
        foreach (BatchPiece piece in batch.Pieces)
        {
            var cache = (CpuKeyValueCache)piece.Cache;
            for (int i = 0; i < piece.Count; i++)
            {
                Positions[piece.Start + i] = cache.Length + i;
                Caches[piece.Start + i] = cache;
            }

            var cosines = new Span<float>(Cosines + (long)piece.Start * half, piece.Count * half);
            rotary.Fill(cache.Length, piece.Count, cosines, new Span<float>(Sines + (long)piece.Start * half, piece.Count * half));
            longest = Math.Max(longest, cache.Length + piece.Count);
        }

        for (int worker = 0; worker < _scores.Length; worker++)
        {
            if (_scores[worker].Bytes < (long)longest * sizeof(float))
            {
                Replace(ref _scores[worker], (longest + 256L) * sizeof(float));
            }
        }
    }

    /// <summary>Copies the residual stream of the rows that get logits to the front of <see cref="Branch"/> and returns their number.</summary>
    public int GatherLogitRows(LlamaBatch batch)
    {
        int row = 0, hidden = _config.HiddenSize;
        foreach (BatchPiece piece in batch.Pieces)
        {
            int wanted = piece.Logits switch { LogitRows.All => piece.Count, LogitRows.Last => 1, _ => 0 };
            long bytes = (long)wanted * hidden * sizeof(float);
            Buffer.MemoryCopy(Hidden + (long)(piece.Start + piece.Count - wanted) * hidden, Branch + (long)row * hidden, bytes, bytes);
            row += wanted;
        }

        return row;
    }

    public void Dispose()
    {
        _rows.Dispose();
        Array.ForEach(_scratch, memory => memory.Dispose());
        Array.ForEach(_scores, memory => memory.Dispose());
    }

    /// <summary>The old memory goes only once the new is there: a pass that finds none must leave the buffers fit for smaller ones.</summary>
    private static void Replace(ref AlignedMemory memory, long bytes)
    {
        var larger = new AlignedMemory(bytes);
        memory.Dispose();
        memory = larger;
    }

    private void Reserve(int tokens)
    {
        if (tokens <= _capacity)
        {
            return;
        }

        Replace(ref _rows, tokens * BytesPerToken(_config));
        _capacity = tokens;
        Positions = new int[tokens];
        Caches = new CpuKeyValueCache[tokens];
        float* next = _rows.Floats;
        Hidden = Take(_config.HiddenSize);
        Normed = Take(_config.HiddenSize);
        Branch = Take(_config.HiddenSize);
        Query = Take(_config.HeadCount * _config.HeadSize);
        Attended = Take(_config.HeadCount * _config.HeadSize);
        Key = Take(_config.KeyValueHeadCount * _config.HeadSize);
        Value = Take(_config.KeyValueHeadCount * _config.HeadSize);
        Gate = Take(_config.IntermediateSize);
        Up = Take(_config.IntermediateSize);
        Cosines = Take(_config.HeadSize / 2);
        Sines = Take(_config.HeadSize / 2);

        float* Take(int perToken)
        {
            float* taken = next;
            next += (long)perToken * tokens;
            return taken;
        }
    }
}
