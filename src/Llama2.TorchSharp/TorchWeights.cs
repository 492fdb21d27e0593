using TorchSharp;
using static TorchSharp.torch;

namespace Llama2.TorchSharp;

/// <summary>All weights of a model on the device. Matrices are [outputs, inputs]; those with the same input are one.</summary>
internal sealed class TorchWeights : IDisposable
{
    private const int ChunkBytes = 32 << 20;                             // what is converted and copied at a time

    private readonly List<Tensor> _tensors = [];

    public Tensor Embedding { get; private set; } = null!;               // [vocabulary, hidden]

    public TorchLayer[] Layers { get; private set; } = [];

    public Tensor OutputNorm { get; private set; } = null!;              // [1, hidden], single precision like all norms

    public Tensor Head { get; private set; } = null!;                    // [vocabulary, hidden]; the embedding itself where they are tied

    public long Bytes { get; private set; }

    /// <summary>Bytes of a load, from the shape alone.</summary>
    public static long BytesOf(LlamaConfig config, WeightFormat format) =>
        TensorNames.Required(config).Sum(tensor => (long)tensor.Rows * tensor.Columns * (tensor.Rows == 1 ? sizeof(float) : format.BlockBytes()));

    /// <summary>Brings the weights to the device, tensor by tensor, and frees everything if that fails.</summary>
    /// <param name="checkpoint">Where they are.</param>
    /// <param name="format">F32, F16 or BF16.</param>
    /// <param name="device">The device.</param>
    /// <param name="threads">Threads that convert.</param>
    /// <param name="progress">Told after each tensor.</param>
    /// <param name="cancellationToken">Seen between rows.</param>
    public static TorchWeights Load(
        Checkpoint checkpoint, WeightFormat format, Device device, int threads, IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        var weights = new TorchWeights();
        try
        {
            using IDisposable inference = inference_mode();
            var loader = new Loader(weights, checkpoint, device, threads, progress, cancellationToken);
            weights.Embedding = loader.Matrix(format, TensorNames.Embedding);
            weights.Layers = [.. Enumerable.Range(0, checkpoint.Config.LayerCount).Select(layer => new TorchLayer
            {
                AttentionNorm = loader.Vector(TensorNames.AttentionNorm(layer)),
                QueryKeyValue = loader.Matrix(format, TensorNames.Query(layer), TensorNames.Key(layer), TensorNames.Value(layer)),
                AttentionOutput = loader.Matrix(format, TensorNames.AttentionOutput(layer)),
                FeedForwardNorm = loader.Vector(TensorNames.FeedForwardNorm(layer)),
                GateUp = loader.Matrix(format, TensorNames.Gate(layer), TensorNames.Up(layer)),
                Down = loader.Matrix(format, TensorNames.Down(layer)),
            })];
            weights.OutputNorm = loader.Vector(TensorNames.OutputNorm);
            weights.Head = checkpoint.Config.TieWordEmbeddings ? weights.Embedding : loader.Matrix(format, TensorNames.Head);
            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    public void Dispose() => _tensors.ForEach(tensor => tensor.Dispose());

    /// <summary>Rows of a checkpoint on their way to the device: straight to where they stay on the CPU, through one chunk of the host to a GPU.</summary>
    private sealed class Loader(
        TorchWeights weights, Checkpoint checkpoint, Device device, int threads, IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        private readonly ParallelOptions _parallel = new() { MaxDegreeOfParallelism = threads, CancellationToken = cancellationToken };
        private readonly long _total = TensorNames.Required(checkpoint.Config).Sum(tensor => checkpoint.Tensors[tensor.Name].ByteSize);
        private long _done;

        public Tensor Vector(string name) => Matrix(WeightFormat.F32, name);

        /// <summary>One matrix of the rows of several tensors, one after another.</summary>
        public Tensor Matrix(WeightFormat format, params string[] names)
        {
            CheckpointTensor[] parts = [.. names.Select(name => checkpoint.Tensors[name])];
            long rows = parts.Sum(part => (long)part.Rows), columns = parts[0].Columns;
            cancellationToken.ThrowIfCancellationRequested();
            Tensor matrix = empty(rows, columns, dtype: TorchTypes.Of(format), device: device).DetachFromDisposeScope();
            weights._tensors.Add(matrix);
            weights.Bytes += rows * format.RowBytes((int)columns);
            long first = 0;
            foreach (CheckpointTensor part in parts)
            {
                using Tensor destination = matrix.narrow(0, first, part.Rows);
                Copy(part, format, destination);
                first += part.Rows;
                part.ReleasePages();
                progress?.Report(new LoadProgress(_done += part.ByteSize, _total, part.Name));
            }

            return matrix;
        }

        private void Copy(CheckpointTensor tensor, WeightFormat format, Tensor destination)
        {
            int chunk = (int)Math.Clamp(ChunkBytes / format.RowBytes(tensor.Columns), 1, tensor.Rows);
            using Tensor? host = device.type == DeviceType.CPU ? null : empty(chunk, tensor.Columns, dtype: destination.dtype);
            for (int first = 0; first < tensor.Rows; first += chunk)
            {
                int count = Math.Min(chunk, tensor.Rows - first);
                using Tensor rows = destination.narrow(0, first, count);
                using Tensor? staged = host?.narrow(0, 0, count);
                Encode(tensor, first, count, format, (staged ?? rows).bytes);
                if (staged is not null)
                {
                    rows.copy_(staged);
                }
            }
        }

        private unsafe void Encode(CheckpointTensor tensor, int first, int count, WeightFormat format, Span<byte> destination)
        {
            int rowBytes = destination.Length / count;
            fixed (byte* pinned = destination)
            {
                byte* start = pinned;                                    // a lambda takes no fixed local
                Parallel.For(0, count, _parallel, row => tensor.EncodeRow(first + row, format, new Span<byte>(start + (nint)row * rowBytes, rowBytes), checkpoint.Path));
            }
        }
    }
}

/// <summary>The weights of one transformer block.</summary>
internal sealed class TorchLayer
{
    public required Tensor AttentionNorm { get; init; }                  // [1, hidden]

    public required Tensor QueryKeyValue { get; init; }                  // [(heads + 2 · kvHeads) · headSize, hidden]

    public required Tensor AttentionOutput { get; init; }                // [hidden, heads · headSize]

    public required Tensor FeedForwardNorm { get; init; }                // [1, hidden]

    public required Tensor GateUp { get; init; }                         // [2 · ffn, hidden]

    public required Tensor Down { get; init; }                           // [hidden, ffn]
}
