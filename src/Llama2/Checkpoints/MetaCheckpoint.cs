namespace Llama2;

/// <summary>A folder as Meta hands it out.</summary>
internal sealed class MetaCheckpoint : Checkpoint
{
    public MetaCheckpoint(string folder) => throw new NotImplementedException(folder);

    public override string Path => throw new NotImplementedException();

    public override string Layout => throw new NotImplementedException();

    public override LlamaConfig Config => throw new NotImplementedException();

    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => throw new NotImplementedException();

    public override LlamaTokenizer? LoadTokenizer() => throw new NotImplementedException();
}
