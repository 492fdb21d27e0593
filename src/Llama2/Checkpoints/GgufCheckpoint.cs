namespace Llama2;

/// <summary>A GGUF file of architecture <c>llama</c>.</summary>
internal sealed class GgufCheckpoint : Checkpoint
{
    public GgufCheckpoint(string path) => throw new NotImplementedException();

    public override string Path => throw new NotImplementedException();

    public override string Layout => throw new NotImplementedException();

    public override LlamaConfig Config => throw new NotImplementedException();

    public override IReadOnlyDictionary<string, CheckpointTensor> Tensors => throw new NotImplementedException();

    public override LlamaTokenizer? LoadTokenizer() => throw new NotImplementedException();
}
