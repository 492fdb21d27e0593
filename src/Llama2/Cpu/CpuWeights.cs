namespace Llama2;

/// <summary>All weights of a model in the CPU's memory, or still in the mapped checkpoint where nothing is converted.</summary>
internal sealed class CpuWeights : IDisposable
{
    private readonly List<WeightMatrix> _matrices = [];
    private readonly List<AlignedMemory> _vectors = [];

    private CpuWeights()
    {
    }

    public required WeightMatrix Embedding { get; init; }                // [vocabulary, hidden]

    public required CpuLayer[] Layers { get; init; }

    public required AlignedMemory OutputNorm { get; init; }              // [hidden]

    public required WeightMatrix Head { get; init; }                     // [vocabulary, hidden]; the embedding itself where they are tied

    public long Bytes => _matrices.Sum(matrix => matrix.ByteSize) + _vectors.Sum(vector => vector.Bytes);

    public IReadOnlyList<WeightMatrix> Matrices => _matrices;

    /// <summary>The format that a tensor is held in: the one asked for, F16 where its rows are no whole blocks, vectors always F32.</summary>
    public static WeightFormat FormatOf(CheckpointTensor tensor, WeightFormat? wanted)
    {
        if (tensor.Rows == 1)
        {
            return WeightFormat.F32;
        }

        WeightFormat format = wanted ?? tensor.Format;
        return tensor.Columns % format.BlockLength() == 0 ? format : WeightFormat.F16;
    }

    /// <summary>Whether a tensor is used where it lies in the mapped checkpoint.</summary>
    public static bool StaysMapped(CheckpointTensor tensor, WeightFormat? wanted) =>
        tensor.Rows > 1 && tensor.Region is not null && FormatOf(tensor, wanted) == tensor.Format;

    /// <summary>Reads every tensor, converting on the way, and frees everything if that fails.</summary>
    public static CpuWeights Load(Checkpoint checkpoint, WeightFormat? wanted, WorkerGroup workers, IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        List<WeightMatrix> matrices = [];
        List<AlignedMemory> vectors = [];
        long total = TensorNames.Required(checkpoint.Config).Sum(tensor => checkpoint.Tensors[tensor.Name].ByteSize), done = 0;
        try
        {
            WeightMatrix embedding = Matrix(TensorNames.Embedding);
            var weights = new CpuWeights
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
            weights._matrices.AddRange(matrices);
            weights._vectors.AddRange(vectors);
            return weights;
        }
        catch
        {
            matrices.ForEach(matrix => matrix.Dispose());
            vectors.ForEach(vector => vector.Dispose());
            throw;
        }

        WeightMatrix Matrix(string name)
        {
            CheckpointTensor tensor = checkpoint.Tensors[name];
            WeightFormat format = FormatOf(tensor, wanted);
            WeightMatrix matrix = StaysMapped(tensor, wanted)
                ? new WeightMatrix(format, tensor.Rows, tensor.Columns, tensor.Region!.Value)
                : new WeightMatrix(format, tensor.Rows, tensor.Columns, Read(tensor, format, checkpoint.Path, workers, cancellationToken));
            matrices.Add(matrix);
            Report(tensor);
            return matrix;
        }

        AlignedMemory Vector(string name)
        {
            CheckpointTensor tensor = checkpoint.Tensors[name];
            AlignedMemory vector = Read(tensor, WeightFormat.F32, checkpoint.Path, workers, cancellationToken);
            vectors.Add(vector);
            Report(tensor);
            return vector;
        }

        void Report(CheckpointTensor tensor) => progress?.Report(new LoadProgress(done += tensor.ByteSize, total, tensor.Name));
    }

    public void Dispose()
    {
        _matrices.ForEach(matrix => matrix.Dispose());
        _vectors.ForEach(vector => vector.Dispose());
    }

    /// <summary>Copies a tensor to memory of our own, row by row on all threads.</summary>
    private static unsafe AlignedMemory Read(
        CheckpointTensor tensor, WeightFormat format, string file, WorkerGroup workers, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int rowBytes = checked((int)format.RowBytes(tensor.Columns));
        var memory = new AlignedMemory((long)tensor.Rows * rowBytes);
        try
        {
            byte* rows = memory.Pointer;
            workers.For(tensor.Rows, (_, row) =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                tensor.EncodeRow(row, format, new Span<byte>(rows + (long)row * rowBytes, rowBytes), file);
            });
            return memory;
        }
        catch
        {
            memory.Dispose();
            throw;
        }
    }
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
