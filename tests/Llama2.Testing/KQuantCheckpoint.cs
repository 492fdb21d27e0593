namespace Llama2.Testing;

/// <summary>
/// A checkpoint whose matrices are K-quants: all of one format, but for the head, the value and the down projections, which are Q6_K as in the
/// field's files of mixed formats.
/// </summary>
public sealed class KQuantCheckpoint(Checkpoint inner, WeightFormat format) : Checkpoint
{
    private const int Alignment = 32;

    /// <summary>A shape whose rows are whole blocks, and whose vocabulary is no whole number of stripes.</summary>
    public static LlamaConfig Shape { get; } =
        TinyModels.Config with { HiddenSize = 256, IntermediateSize = 768, HeadSize = 64, VocabularySize = 333 };

    public override string Path => inner.Path;

    public override string Layout => "quantized";

    public override LlamaConfig Config => inner.Config;

    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors { get; } = inner.Tensors.Values.ToDictionary(
        tensor => tensor.Name, tensor => tensor.Rows == 1 ? tensor : new Tensor(tensor, IsFiner(tensor.Name) ? WeightFormat.Q6_K : format));

    public static KQuantCheckpoint Create(WeightFormat format, bool tied = false) => new(TinyModels.Create(1, Shape with { TieWordEmbeddings = tied }), format);

    public override LlamaTokenizer? LoadTokenizer() => inner.LoadTokenizer();

    /// <summary>Writes a GGUF file, which the product refuses for these formats.</summary>
    public void Write(string path)
    {
        var header = new GgufHeaderWriter();
        GgufMetadataWriter.Write(header, this, WeightFormat.F32);
        using var body = new MemoryStream();
        foreach ((string name, int rows, int columns) in TensorNames.Required(Config))
        {
            CheckpointTensor tensor = Tensors[name];
            string ggufName = GgufNames.ToGguf(name);
            header.AddTensor(ggufName, tensor.Format, rows, columns, body.Length);
            byte[] stored = new byte[tensor.RowBytes];
            for (int row = 0; row < rows; row++)
            {
                tensor.ReadRow(GgufNames.IsRotary(ggufName) ? RotaryOrder.HalvedRow(row, Config.HeadSize) : row, stored);
                body.Write(stored);
            }

            body.Write(new byte[-body.Length & (Alignment - 1)]);
        }

        File.WriteAllBytes(path, [.. header.ToArray(Alignment), .. body.ToArray()]);
    }

    private static bool IsFiner(string name) =>
        name == TensorNames.Head || name.EndsWith("v_proj.weight", StringComparison.Ordinal) || name.EndsWith("down_proj.weight", StringComparison.Ordinal);

    private sealed class Tensor(CheckpointTensor source, WeightFormat format) : CheckpointTensor(source.Name, format, source.Rows, source.Columns)
    {
        public override void ReadRow(int row, Span<byte> destination)
        {
            float[] weights = new float[Columns];
            CheckpointTensorExtensions.ReadRow(source, row, weights);
            KQuantizer.Encode(Format, weights, destination[..RowBytes]);
        }
    }
}
