using System.Numerics.Tensors;

namespace Llama2;

/// <summary>Grouped-query attention over the caches of a batch: softmax(q · kᵀ ÷ √headSize) · v, causal.</summary>
/// <remarks>
/// Up to 24 queries of a sequence that share keys and values go through them together, so that what is read, and widened, once serves them all; a
/// long cache is cut into spans of positions, which are merged in their order as in online softmax (Milakov and Gimelshein 2018). Where queries are few a
/// thread goes through the keys of several heads at a time, which lie together, and then through their values: long pieces of memory are read faster. None of
/// this changes what is added in which order, so the bits of a token depend neither on the batch nor on the threads.
/// </remarks>
internal sealed unsafe class CpuAttention : IDisposable
{
    private const int Span = 512;                                        // positions; a multiple of the cache's blocks
    private const int Block = CpuKeyValueCache.BlockTokens;
    private const int MostQueries = 24;                                  // whole tiles of six and of eight
    private const int MostPages = 4 * MostQueries * (2 * Span / Block + 2);      // of a list, for heads of up to four pages in a block
    private const int ItemsPerThread = 4;                                // at least, before heads share an item
    private const float LargestToScale = 1 << 24;                        // times 2¹⁰² a single still holds

    private readonly LlamaConfig _config;
    private readonly WorkerGroup _workers;
    private readonly Action<int, int> _attend, _merge;
    private readonly int _headGroup, _paddedSize, _partFloats;
    private readonly float _scale;                                       // 1 / √headSize keeps the scores' variance near 1
    private readonly AlignedMemory[] _scratch;                           // per thread: queries, scores, sums, a widened block, a list of pages
    private AlignedMemory _parts = new(0);                               // [parts, kvHeads, 24, max + sum + padded head size]
    private QueryGroup[] _groups = [];
    private int[] _groupOfPart = [];
    private int _groupCount, _partCount, _headsAtOnce;

    // What the threads work on: set before a job, read by its items.
    private float* _queries, _attended;
    private int _layer;

    public CpuAttention(LlamaConfig config, WorkerGroup workers)
    {
        (_config, _workers, _attend, _merge) = (config, workers, Attend, Merge);
        _headGroup = config.HeadCount / config.KeyValueHeadCount;
        _paddedSize = CpuKeyValueCache.PaddedHeadSize(config);
        _partFloats = MostQueries * (2 + _paddedSize);
        _scale = 1 / MathF.Sqrt(config.HeadSize);
        _scratch = [.. Enumerable.Range(0, workers.Threads).Select(_ => new AlignedMemory(ScratchBytes(config)))];
    }

    /// <summary>Bytes that a thread works in.</summary>
    public static long ScratchBytes(LlamaConfig config) =>
        sizeof(float) * ((long)MostQueries * (config.HeadSize + Span + CpuKeyValueCache.PaddedHeadSize(config)) + BlockFloats(config)) + MostPages * (long)sizeof(byte*);

    /// <summary>Cuts the queries of a batch into groups and their caches into spans.</summary>
    public void Prepare(LlamaBatch batch)
    {
        (_groupCount, _partCount) = (0, 0);
        int largest = 1;
        foreach (BatchPiece piece in batch.Pieces)
        {
            for (int query = 0; query < piece.Count * _headGroup; query += MostQueries)
            {
                int count = Math.Min(MostQueries, piece.Count * _headGroup - query);
                int length = piece.Cache.Length + (query + count - 1) / _headGroup + 1, spans = (length + Span - 1) / Span;
                Grow(ref _groups, _groupCount + 1);
                Grow(ref _groupOfPart, _partCount + spans);
                _groupOfPart.AsSpan(_partCount, spans).Fill(_groupCount);
                _groups[_groupCount++] = new((CpuKeyValueCache)piece.Cache, piece.Start, piece.Cache.Length, query, count, length, _partCount, spans);
                _partCount += spans;
                largest = Math.Max(largest, count);
            }
        }

        int wanted = Math.Min(MostQueries / largest, _partCount * _config.KeyValueHeadCount / (ItemsPerThread * _workers.Threads));
        _headsAtOnce = Math.Clamp(wanted, 1, _config.KeyValueHeadCount);

        long bytes = _partCount > _groupCount ? sizeof(float) * (long)_partCount * _config.KeyValueHeadCount * _partFloats : 0;
        AlignedMemory.Reserve(ref _parts, bytes, bytes / 4);
    }

    /// <summary>Attention of one layer, whose keys and values are stored.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="queries">[tokens, heads, head size].</param>
    /// <param name="attended">[tokens, heads, head size].</param>
    public void Run(int layer, float* queries, float* attended)
    {
        _layer = layer;
        _queries = queries;
        _attended = attended;
        _workers.For(_partCount * HeadGroups, _attend);
        if (_partCount > _groupCount)
        {
            _workers.For(_groupCount * _config.KeyValueHeadCount, _merge);
        }
    }

    public void Dispose()
    {
        _parts.Dispose();
        Array.ForEach(_scratch, memory => memory.Dispose());
    }

    private int HeadGroups => (_config.KeyValueHeadCount + _headsAtOnce - 1) / _headsAtOnce;

    private static void Grow<T>(ref T[] array, int length)
    {
        if (array.Length < length)
        {
            Array.Resize(ref array, Math.Max(length, 2 * array.Length));
        }
    }

    private static long BlockFloats(LlamaConfig config) => (long)Block * CpuKeyValueCache.PaddedHeadSize(config);

    /// <summary>One group of queries against one span of some key-value heads.</summary>
    private void Attend(int worker, int item)
    {
        int part = Math.DivRem(item, HeadGroups, out int headGroup), firstHead = headGroup * _headsAtOnce, heads = Math.Min(_headsAtOnce, _config.KeyValueHeadCount - firstHead);
        ref readonly QueryGroup group = ref _groups[_groupOfPart[part]];
        int start = (part - group.FirstPart) * Span;
        var work = new Work(group, firstHead, heads, start, Math.Min(Span, group.Length - start));
        var room = new Room(_scratch[worker].Floats, _config);
        float* largest = stackalloc float[MostQueries], totals = stackalloc float[MostQueries];

        bool halves = group.Cache.Format == WeightFormat.F16;
        for (int head = 0; head < heads; head++)
        {
            LoadQueries(group, firstHead + head, room.Queries + head * group.Count * _config.HeadSize);
        }

        bool scaled = halves && TensorPrimitives.MaxMagnitude(new ReadOnlySpan<float>(room.Queries, work.Rows * _config.HeadSize)) < LargestToScale;
        if (scaled)
        {
            ElementKernels.Scale(room.Queries, 1 / HalfBits.InPlaceOfRaised, work.Rows * _config.HeadSize);
        }

        byte** pages = ListPages(work, room.Pages) ? room.Pages : null;
        Score(work, room, scaled, pages);
        for (int row = 0; row < work.Rows; row++)
        {
            float* weights = room.Scores + row * work.Stride;
            int visible = Math.Clamp(group.Visible(row % group.Count, _headGroup) - start, 0, work.Length);
            (largest[row], totals[row]) = ElementKernels.Exponentiate(weights, visible);
            new Span<float>(weights + visible, work.Length - visible).Clear();
            if (halves)
            {
                ElementKernels.Scale(weights, 1 / HalfBits.InPlaceOfRaised, visible);
            }
        }

        Weigh(work, room, halves, pages is null ? null : pages + work.Blocks * heads * group.Cache.PiecePages);
        for (int row = 0; row < work.Rows; row++)
        {
            int head = firstHead + row / group.Count, query = row % group.Count;
            float* sum = room.Sums + row * _paddedSize;
            if (group.Spans == 1)
            {
                ElementKernels.Scale(sum, 1 / totals[row], _config.HeadSize);
                new ReadOnlySpan<float>(sum, _config.HeadSize).CopyTo(new Span<float>(Attended(group, head, query), _config.HeadSize));
                continue;
            }

            float* to = Part(group, head, query, part - group.FirstPart);
            (to[0], to[1]) = (largest[row], totals[row]);
            new ReadOnlySpan<float>(sum, _paddedSize).CopyTo(new Span<float>(to + 2, _paddedSize));
        }
    }

    /// <summary>scores[head, query, position] = key · query, for the positions that a query sees and some further ones.</summary>
    private void Score(in Work work, in Room room, bool scaled, byte** pages)
    {
        QueryGroup group = work.Group;
        Tiling tiling = group.Tiling;
        new Span<float>(room.Scores, work.Rows * work.Stride).Clear();
        for (int at = 0; at < work.Length; at += Block)
        {
            for (int head = 0; head < work.Heads; head++, pages = Next(group, pages))
            {
                CpuKeyValueCache.Numbers keys = group.Cache.Read(
                    _layer, work.FirstHead + head, (work.Start + at) / Block, areKeys: true, scaled, tiling.Tiles > 1, room.Widened, pages);
                for (int query = 0, rows; query < group.Count; query += rows)
                {
                    rows = Math.Min(tiling.Rows, group.Count - query);
                    if (group.Visible(query + rows - 1, _headGroup) > work.Start + at)
                    {
                        int row = head * group.Count + query;
                        Add(keys, 0, pages, room.Queries + row * _config.HeadSize, _config.HeadSize, rows, _config.HeadSize, stripes: 1, room.Scores + row * work.Stride + at, work.Stride);
                    }
                }
            }
        }
    }

    /// <summary>sums[head, query] = Σ probability · value over the positions of the span; the probabilities are where the scores were.</summary>
    private void Weigh(in Work work, in Room room, bool scaled, byte** pages)
    {
        QueryGroup group = work.Group;
        Tiling tiling = group.Tiling;
        new Span<float>(room.Sums, work.Rows * _paddedSize).Clear();
        for (int at = 0; at < work.Length; at += Block)
        {
            for (int head = 0; head < work.Heads; head++, pages = Next(group, pages))
            {
                CpuKeyValueCache.Numbers values = group.Cache.Read(
                    _layer, work.FirstHead + head, (work.Start + at) / Block, areKeys: false, scaled, tiling.Tiles > 1, room.Widened, pages);
                int tokens = Math.Min(Block, work.Length - at), stripes = _paddedSize / FloatTiles.StripeRows, together = tokens == Block ? stripes : 1;
                int stripeBytes = Block * FloatTiles.StripeRows * (values.Form == PlainForm.Singles ? sizeof(float) : sizeof(ushort));
                for (int query = 0, rows; query < group.Count; query += rows)
                {
                    rows = Math.Min(tiling.Rows, group.Count - query);
                    int row = head * group.Count + query;
                    float* probabilities = room.Scores + row * work.Stride + at, to = room.Sums + row * _paddedSize;
                    for (int stripe = 0; stripe < stripes && group.Visible(query + rows - 1, _headGroup) > work.Start + at; stripe += together)
                    {
                        Add(values, stripe * stripeBytes, pages, probabilities, work.Stride, rows, tokens, together, to + stripe * FloatTiles.StripeRows, _paddedSize);
                    }
                }
            }
        }
    }

    /// <summary>Adds products of keys or values, some of a block's, with queries or probabilities.</summary>
    private static void Add(CpuKeyValueCache.Numbers numbers, nint offset, byte** pages, float* inputs, nint inputStride, int rows, int columns, int stripes, float* sums, int stride)
    {
        if (pages is null || numbers.Cached)
        {
            ReadAhead ahead = numbers.Cached ? ReadAhead.None : ReadAheads.OfKeysAndValues(rows);
            PlainKernels.Add(numbers.Form, numbers.Pointer + offset, inputs, inputStride, rows, columns, stripes, sums, stride, ahead);
        }
        else
        {
            PlainKernels.Add(numbers.Form, numbers.Pointer + offset, inputs, inputStride, rows, columns, stripes, sums, stride, new ListedPagesAhead(pages));
        }
    }

    private static byte** Next(in QueryGroup group, byte** pages) => pages is null ? null : pages + group.Cache.PiecePages;

    /// <summary>Lists the pages of a span in the order in which they are read, and the first ones of what the thread will probably read then, the next heads.</summary>
    /// <returns>Whether to read ahead in pages, and whether that can be.</returns>
    private bool ListPages(in Work work, byte** pages)
    {
        const int Ahead = (int)PagesAhead.Pages;
        CpuKeyValueCache cache = work.Group.Cache;
        int first = work.Start / Block, count = work.Blocks, block = work.Heads * cache.PiecePages;
        int next = Math.Min(work.FirstHead + work.Heads, _config.KeyValueHeadCount - work.Heads);
        if (ReadAheads.OfMemory != ReadAhead.Pages || count * block < Ahead || (2 * count + 1) * block + Ahead > MostPages)
        {
            return false;
        }

        cache.ListPages(_layer, work.FirstHead, work.Heads, first, count, areKeys: true, pages);
        cache.ListPages(_layer, work.FirstHead, work.Heads, first, count, areKeys: false, pages + count * block);
        cache.ListPages(_layer, next, work.Heads, first, (Ahead + block - 1) / block, areKeys: true, pages + 2 * count * block);
        return true;
    }

    /// <summary>Brings the spans of one group and head to their common maximum and adds them up.</summary>
    private void Merge(int worker, int item)
    {
        int index = Math.DivRem(item, _config.KeyValueHeadCount, out int head), size = _config.HeadSize;
        ref readonly QueryGroup group = ref _groups[index];
        for (int query = 0; query < group.Count && group.Spans > 1; query++)
        {
            float largest = float.NegativeInfinity, total = 0;
            for (int span = 0; span < group.Spans; span++)
            {
                largest = MathF.Max(largest, Part(group, head, query, span)[0]);
            }

            float* to = Attended(group, head, query);
            new Span<float>(to, size).Clear();
            for (int span = 0; span < group.Spans; span++)
            {
                float* part = Part(group, head, query, span);
                float factor = part[1] == 0 ? 0 : ElementKernels.Exp(part[0] - largest);     // nothing visible in the span
                total = MathF.FusedMultiplyAdd(factor, part[1], total);
                ElementKernels.AddScaled(factor, part + 2, to, size);
            }

            ElementKernels.Scale(to, 1 / total, size);
        }
    }

    private float* Part(in QueryGroup group, int head, int query, int span) =>
        _parts.Floats + ((nint)(group.FirstPart + span) * _config.KeyValueHeadCount + head) * _partFloats + query * (2 + _paddedSize);

    /// <summary>The scaled queries of a group: [queries, head size].</summary>
    private void LoadQueries(in QueryGroup group, int head, float* queries)
    {
        for (int query = 0; query < group.Count; query++, queries += _config.HeadSize)
        {
            new ReadOnlySpan<float>(_queries + group.Offset(query, head, _config), _config.HeadSize).CopyTo(new Span<float>(queries, _config.HeadSize));
            ElementKernels.Scale(queries, _scale, _config.HeadSize);
        }
    }

    private float* Attended(in QueryGroup group, int head, int query) => _attended + group.Offset(query, head, _config);

    /// <summary>Up to 24 queries of one sequence: the heads that share keys and values at one position, then those at the next.</summary>
    private readonly record struct QueryGroup(
        CpuKeyValueCache Cache, int FirstToken, int FirstPosition, int FirstQuery, int Count, int Length, int FirstPart, int Spans)
    {
        /// <summary>The queries of one product each.</summary>
        public Tiling Tiling => new(Count, StripeKernels.InputsOf(WeightFormat.F32));

        /// <summary>Positions that a query sees.</summary>
        public int Visible(int query, int headGroup) => FirstPosition + (FirstQuery + query) / headGroup + 1;

        /// <summary>Where a query stands in [tokens, heads, head size].</summary>
        public nint Offset(int query, int keyValueHead, LlamaConfig config)
        {
            int headGroup = config.HeadCount / config.KeyValueHeadCount, token = Math.DivRem(FirstQuery + query, headGroup, out int member);
            return ((nint)(FirstToken + token) * config.HeadCount + keyValueHead * headGroup + member) * config.HeadSize;
        }
    }

    /// <summary>An item of a thread: the queries of a group against the positions from <see cref="Start"/> on of some key-value heads.</summary>
    private readonly record struct Work(QueryGroup Group, int FirstHead, int Heads, int Start, int Length)
    {
        public int Rows => Heads * Group.Count;

        public int Blocks => (Length + Block - 1) / Block;

        /// <summary>Distance of two rows of scores.</summary>
        public int Stride => Blocks * Block;
    }

    /// <summary>What a thread works in.</summary>
    private readonly struct Room
    {
        public Room(float* scratch, LlamaConfig config)
        {
            Queries = scratch;
            Scores = Queries + MostQueries * config.HeadSize;
            Sums = Scores + MostQueries * Span;
            Widened = Sums + MostQueries * CpuKeyValueCache.PaddedHeadSize(config);
            Pages = (byte**)(Widened + BlockFloats(config));
        }

        /// <summary>[heads, queries, head size].</summary>
        public float* Queries { get; }

        /// <summary>[heads, queries, positions].</summary>
        public float* Scores { get; }

        /// <summary>[heads, queries, padded head size].</summary>
        public float* Sums { get; }

        /// <summary>A block of keys or values as singles.</summary>
        public float* Widened { get; }

        /// <summary>A list of pages.</summary>
        public byte** Pages { get; }
    }
}
