namespace Llama2;

/// <summary>The activations of a forward pass, row after row for the tokens of the batch; grown to the largest batch, then reused.</summary>
internal sealed unsafe class CpuBuffers : IDisposable
{
    private readonly LlamaConfig _config;
    private AlignedMemory _rows = new(0);
    private int _capacity;

    public CpuBuffers(LlamaConfig config) => _config = config;

    public float* Hidden { get; private set; }                           // [tokens, hidden], the residual stream

    public float* Normed { get; private set; }                           // [tokens, hidden]

    public float* LogitRows { get; private set; }                        // [rows that get logits, hidden]

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

    /// <summary>The tokens that share a block of a cache, one run after another: the first one and the one after the last.</summary>
    public List<(int First, int End)> Runs { get; } = [];

    /// <summary>Bytes of the buffers for one token.</summary>
    public static long BytesPerToken(LlamaConfig config) => sizeof(float) * (
        3L * config.HiddenSize + 2L * config.HeadCount * config.HeadSize + 2L * config.KeyValueHeadCount * config.HeadSize +
        2L * config.IntermediateSize + config.HeadSize);

    /// <summary>Makes room for the batch and writes each token's position, cache and angles.</summary>
    public void Prepare(LlamaBatch batch, RotaryEmbedding rotary)
    {
        int half = _config.HeadSize / 2;
        Reserve(batch.Tokens.Length);
        Runs.Clear();
        foreach (BatchPiece piece in batch.Pieces)
        {
            var cache = (CpuKeyValueCache)piece.Cache;
            for (int i = 0; i < piece.Count; i++)
            {
                Positions[piece.Start + i] = cache.Length + i;
                Caches[piece.Start + i] = cache;
            }

            for (int first = 0, count; first < piece.Count; first += count)
            {
                count = Math.Min(piece.Count - first, CpuKeyValueCache.BlockTokens - (cache.Length + first) % CpuKeyValueCache.BlockTokens);
                Runs.Add((piece.Start + first, piece.Start + first + count));
            }

            var cosines = new Span<float>(Cosines + (long)piece.Start * half, piece.Count * half);
            rotary.Fill(cache.Length, piece.Count, cosines, new Span<float>(Sines + (long)piece.Start * half, piece.Count * half));
        }
    }

    /// <summary>Copies the residual stream of the rows that get logits to <see cref="LogitRows"/> and returns their number.</summary>
    public int GatherLogitRows(LlamaBatch batch)
    {
        int row = 0, hidden = _config.HiddenSize;
        foreach (BatchPiece piece in batch.Pieces)
        {
            int wanted = piece.Logits switch { Llama2.LogitRows.All => piece.Count, Llama2.LogitRows.Last => 1, _ => 0 };
            long bytes = (long)wanted * hidden * sizeof(float);
            Buffer.MemoryCopy(Hidden + (long)(piece.Start + piece.Count - wanted) * hidden, LogitRows + (long)row * hidden, bytes, bytes);
            row += wanted;
        }

        return row;
    }

    public void Dispose() => _rows.Dispose();

    private void Reserve(int tokens)
    {
        if (tokens <= _capacity)
        {
            return;
        }

        AlignedMemory.Reserve(ref _rows, tokens * BytesPerToken(_config));
        _capacity = tokens;
        Positions = new int[tokens];
        Caches = new CpuKeyValueCache[tokens];
        float* next = _rows.Floats;
        Hidden = Take(_config.HiddenSize);
        Normed = Take(_config.HiddenSize);
        LogitRows = Take(_config.HiddenSize);
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
