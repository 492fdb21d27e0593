namespace Llama2;

/// <summary>All weights of a model in the CPU's memory, or still in the mapped checkpoint where nothing is converted.</summary>
internal sealed class CpuWeights : IDisposable
{
    private readonly Dictionary<string, WeightMatrix> _matrices;
    private readonly List<AlignedMemory> _vectors;
    private readonly AlignedMemory _memory;                              // of all that is not mapped, in the order in which a pass reads it

    private CpuWeights(Dictionary<string, WeightMatrix> matrices, List<AlignedMemory> vectors, AlignedMemory memory, List<(WeightMatrix Matrix, CheckpointTensor Tensor)> unpacked) =>
        (_matrices, _vectors, _memory, Unpacked) = (matrices, vectors, memory, unpacked);

    public required WeightMatrix Embedding { get; init; }                // [vocabulary, hidden]

    public required CpuLayer[] Layers { get; init; }

    public required AlignedMemory OutputNorm { get; init; }              // [hidden]

    public required WeightMatrix Head { get; init; }                     // [vocabulary, hidden]; the embedding itself where they are tied

    /// <summary>Matrices that are still to be packed, and where they come from.</summary>
    public IReadOnlyList<(WeightMatrix Matrix, CheckpointTensor Tensor)> Unpacked { get; }

    /// <summary>Bytes that a thread needs to multiply with any of the matrices.</summary>
    public long ScratchBytes => Matrices.Max(matrix => matrix.ScratchBytes);

    public long Bytes => Matrices.Sum(matrix => matrix.ByteSize) + _vectors.Sum(vector => vector.Bytes);

    public IReadOnlyCollection<WeightMatrix> Matrices => _matrices.Values;

    /// <summary>Those that every token meets, in the order of a pass: all but an embedding of which single rows are read.</summary>
    public IEnumerable<WeightMatrix> MultipliedMatrices => Matrices.Where(matrix => matrix != Embedding || matrix == Head);

    /// <summary>The matrix of a name, as the checkpoint has it.</summary>
    public WeightMatrix this[string name] => _matrices[name];

    /// <summary>The format that a tensor is held in: the one asked for, F16 where its rows are no whole blocks, vectors always F32.</summary>
    public static WeightFormat FormatOf(CheckpointTensor tensor, WeightFormat? wanted)
    {
        if (tensor.Rows == 1)
        {
            return WeightFormat.F32;
        }

        WeightFormat format = wanted ?? tensor.HeldFormat;
        return tensor.Columns % format.BlockLength() == 0 ? format : WeightFormat.F16;
    }

    /// <summary>Where a tensor's weights are kept.</summary>
    public static WeightPlacement PlacementOf(CheckpointTensor tensor, LlamaModelOptions options, bool tied)
    {
        WeightFormat format = FormatOf(tensor, options.WeightFormat);
        bool mapped = tensor.Rows > 1 && IsMapped(tensor, format);
        bool multiplied = tensor.Name != TensorNames.Embedding || tied;         // otherwise only single rows are read
        bool packs = tensor.Rows > 1 && multiplied;
        return packs && !(mapped && options.Repack == WeightRepacking.Never) ? WeightPlacement.Packed : mapped ? WeightPlacement.Mapped : WeightPlacement.Rows;
    }

    /// <summary>Bytes of memory that a tensor takes.</summary>
    public static long BytesOf(CheckpointTensor tensor, WeightFormat? wanted, WeightPlacement placement)
    {
        WeightFormat format = FormatOf(tensor, wanted);
        return placement switch
        {
            WeightPlacement.Mapped => 0,
            WeightPlacement.Packed => WeightMatrix.PackedBytes(format, tensor.Rows, tensor.Columns),
            _ => tensor.Rows * format.RowBytes(tensor.Columns),
        };
    }

    /// <summary>Reads every tensor, converting on the way, and frees everything if that fails.</summary>
    public static CpuWeights Load(
        Checkpoint checkpoint, LlamaModelOptions options, WorkerGroup workers, IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        Dictionary<string, WeightMatrix> matrices = [];
        List<AlignedMemory> vectors = [];
        List<(WeightMatrix Matrix, CheckpointTensor Tensor)> unpacked = [];
        List<CheckpointTensor> tensors = [.. TensorNames.Required(checkpoint.Config).Select(tensor => checkpoint.Tensors[tensor.Name])];
        long total = tensors.Sum(tensor => tensor.ByteSize), done = 0, taken = 0;
        cancellationToken.ThrowIfCancellationRequested();
        var memory = new AlignedMemory(tensors.Sum(tensor => WholeLines(BytesOf(tensor, options.WeightFormat, Placement(tensor)))));
        try
        {
            WeightMatrix embedding = Matrix(TensorNames.Embedding);
            return new CpuWeights(matrices, vectors, memory, unpacked)
            {
                Embedding = embedding,
                Layers = [.. Enumerable.Range(0, checkpoint.Config.LayerCount).Select(layer => new CpuLayer
                {
                    AttentionNorm = Vector(TensorNames.AttentionNorm(layer)),
                    Query = Matrix(TensorNames.Query(layer)),
                    Key = Matrix(TensorNames.Key(layer)),
                    Value = Matrix(TensorNames.Value(layer)),
                    AttentionOutput = Matrix(TensorNames.AttentionOutput(layer)),
                    FeedForwardNorm = Vector(TensorNames.FeedForwardNorm(layer)),
                    Gate = Matrix(TensorNames.Gate(layer)),
                    Up = Matrix(TensorNames.Up(layer)),
                    Down = Matrix(TensorNames.Down(layer)),
                })],
                OutputNorm = Vector(TensorNames.OutputNorm),
                Head = checkpoint.Config.TieWordEmbeddings ? embedding : Matrix(TensorNames.Head),
            };
        }
        catch
        {
            memory.Dispose();
            throw;
        }

        WeightMatrix Matrix(string name)
        {
            cancellationToken.ThrowIfCancellationRequested();
            CheckpointTensor tensor = checkpoint.Tensors[name];
            WeightFormat format = FormatOf(tensor, options.WeightFormat);
            WeightPlacement placement = Placement(tensor);
            WeightMatrix matrix = placement switch
            {
                WeightPlacement.Mapped => new(format, tensor.Rows, tensor.Columns, tensor.Region!.Value),
                WeightPlacement.Rows => new(format, tensor.Rows, tensor.Columns, Read(tensor, format, Take(tensor, placement), checkpoint.Path, workers, cancellationToken)),
                _ when IsMapped(tensor, format) => PackNowOrLater(new(format, tensor.Rows, tensor.Columns, tensor.Region!.Value, Take(tensor, placement)), tensor),
                _ => Convert(tensor, format, Take(tensor, placement), checkpoint.Path, workers, cancellationToken),
            };
            matrices.Add(name, matrix);
            Report(tensor);
            return matrix;
        }

        WeightMatrix PackNowOrLater(WeightMatrix matrix, CheckpointTensor tensor)
        {
            if (options.Repack == WeightRepacking.OnLoad)
            {
                Pack(matrix, tensor, workers, cancellationToken);
            }
            else
            {
                unpacked.Add((matrix, tensor));
            }

            return matrix;
        }

        AlignedMemory Vector(string name)
        {
            CheckpointTensor tensor = checkpoint.Tensors[name];
            AlignedMemory vector = Read(tensor, WeightFormat.F32, Take(tensor, WeightPlacement.Rows), checkpoint.Path, workers, cancellationToken);
            vectors.Add(vector);
            Report(tensor);
            return vector;
        }

        WeightPlacement Placement(CheckpointTensor tensor) => PlacementOf(tensor, options, checkpoint.Config.TieWordEmbeddings);

        AlignedMemory Take(CheckpointTensor tensor, WeightPlacement placement)
        {
            AlignedMemory part = memory.Part(taken, BytesOf(tensor, options.WeightFormat, placement));
            taken += WholeLines(part.Bytes);
            return part;
        }

        void Report(CheckpointTensor tensor) => progress?.Report(new LoadProgress(done += tensor.ByteSize, total, tensor.Name));
    }

    public void Dispose() => _memory.Dispose();

    /// <summary>Copies a tensor to memory of our own, row by row on all threads.</summary>
    private static unsafe AlignedMemory Read(
        CheckpointTensor tensor, WeightFormat format, AlignedMemory memory, string file, WorkerGroup workers, CancellationToken cancellationToken)
    {
        int rowBytes = checked((int)format.RowBytes(tensor.Columns));
        byte* rows = memory.Pointer;
        Fill(tensor.Rows, workers, EncodeRow, cancellationToken);
        return memory;

        void EncodeRow(int worker, int row) => tensor.EncodeRow(row, format, new Span<byte>(rows + (long)row * rowBytes, rowBytes), file);
    }

    /// <summary>Packs a matrix in the mapped checkpoint, stripe by stripe on all threads, and lets go of what was read of the file.</summary>
    private static void Pack(WeightMatrix matrix, CheckpointTensor tensor, WorkerGroup workers, CancellationToken cancellationToken)
    {
        Fill(matrix.Stripes, workers, (_, stripe) => matrix.PackStripe(stripe), cancellationToken);
        matrix.PackedStripes = matrix.Stripes;
        tensor.ReleasePages();
    }

    /// <summary>Converts a tensor and packs it into memory of our own, as <see cref="Pack"/>.</summary>
    private static unsafe WeightMatrix Convert(
        CheckpointTensor tensor, WeightFormat format, AlignedMemory memory, string file, WorkerGroup workers, CancellationToken cancellationToken)
    {
        int rowBytes = checked((int)format.RowBytes(tensor.Columns)), stripes = WeightMatrix.StripesOf(tensor.Rows);
        nint stripeBytes = (nint)StripePacker.StripeBytes(format, tensor.Columns);
        bool[] ordinary = new bool[stripes];
        byte* packed = memory.Pointer;
        AlignedMemory[] buffers = [.. Enumerable.Range(0, workers.Threads).Select(_ => new AlignedMemory((long)rowBytes * WeightMatrix.StripeRows))];
        try
        {
            Fill(stripes, workers, ConvertStripe, cancellationToken);
            tensor.ReleasePages();
            return new WeightMatrix(format, tensor.Rows, tensor.Columns, memory, ordinary);
        }
        finally
        {
            Array.ForEach(buffers, buffer => buffer.Dispose());
        }

        void ConvertStripe(int worker, int stripe)
        {
            int first = stripe * WeightMatrix.StripeRows, count = Math.Min(WeightMatrix.StripeRows, tensor.Rows - first);
            byte* rows = buffers[worker].Pointer;
            for (int row = 0; row < count; row++)
            {
                tensor.EncodeRow(first + row, format, new Span<byte>(rows + (nint)row * rowBytes, rowBytes), file);
            }

            ordinary[stripe] = StripePacker.Pack(format, new FileRows(rows, rowBytes, count), tensor.Columns, packed + stripe * stripeBytes);
        }
    }

    /// <summary>Whether a tensor's rows lie in the mapped checkpoint as they are to be held.</summary>
    private static bool IsMapped(CheckpointTensor tensor, WeightFormat format) => tensor.Region is { } region && format == tensor.Format && WeightMatrix.Takes(region);

    private static void Fill(int items, WorkerGroup workers, Action<int, int> fill, CancellationToken cancellationToken) => workers.For(items, (worker, item) =>
    {
        cancellationToken.ThrowIfCancellationRequested();
        fill(worker, item);
    });

    private static long WholeLines(long bytes) => (bytes + AlignedMemory.Alignment - 1) / AlignedMemory.Alignment * AlignedMemory.Alignment;
}

/// <summary>Where the weights of a tensor are kept.</summary>
internal enum WeightPlacement
{
    /// <summary>Where they lie in the mapped checkpoint.</summary>
    Mapped,

    /// <summary>Row by row in memory of our own.</summary>
    Rows,

    /// <summary>In the kernels' order in memory of our own.</summary>
    Packed,
}

/// <summary>The weights of one transformer block.</summary>
internal sealed class CpuLayer
{
    public required AlignedMemory AttentionNorm { get; init; }           // [hidden]

    public required WeightMatrix Query { get; init; }                    // [heads · headSize, hidden]

    public required WeightMatrix Key { get; init; }                      // [kvHeads · headSize, hidden]

    public required WeightMatrix Value { get; init; }                    // [kvHeads · headSize, hidden]

    public required WeightMatrix AttentionOutput { get; init; }          // [hidden, heads · headSize]

    public required AlignedMemory FeedForwardNorm { get; init; }         // [hidden]

    public required WeightMatrix Gate { get; init; }                     // [ffn, hidden]

    public required WeightMatrix Up { get; init; }                       // [ffn, hidden]

    public required WeightMatrix Down { get; init; }                     // [hidden, ffn]
}
