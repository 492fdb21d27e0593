using System.Runtime.InteropServices;

namespace Llama2.Training;

/// <summary>A trained model's present weights as a checkpoint, which every writer and the engine can read.</summary>
internal sealed class ModelCheckpoint : Checkpoint
{
    private readonly TrainableModel _model;
    private readonly LlamaTokenizer? _tokenizer;
    private readonly Dictionary<string, CheckpointTensor> _tensors;

    public ModelCheckpoint(TrainableModel model, LlamaTokenizer? tokenizer)
    {
        (_model, _tokenizer) = (model, tokenizer);
        _tensors = model.Parameters.Parameters.ToDictionary(
            parameter => parameter.Name, CheckpointTensor (parameter) => new ParameterTensor(model, parameter));
    }

    public override string Path => _model.Source?.Path ?? $"trained-{Config.HiddenSize}x{Config.LayerCount}";

    public override string Layout => "trained";

    public override LlamaConfig Config => _model.Config;

    public override GenerationOptions GenerationDefaults => _model.Source?.GenerationDefaults ?? new();

    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => _tensors;

    public override LlamaTokenizer? LoadTokenizer() => _tokenizer ?? _model.Source?.LoadTokenizer();
}

/// <summary>A parameter of a model as a tensor, with the numbers that it has when it is read.</summary>
internal sealed unsafe class ParameterTensor(TrainableModel model, Parameter parameter)
    : CheckpointTensor(parameter.Name, WeightFormat.F32, parameter.Rows, parameter.Columns)
{
    public override void ReadRow(int row, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(row);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(row, Rows);
        var weights = new ReadOnlySpan<float>(model.Parameters.Values + parameter.Offset + (long)row * Columns, Columns);
        MemoryMarshal.AsBytes(weights).CopyTo(destination);
    }
}
