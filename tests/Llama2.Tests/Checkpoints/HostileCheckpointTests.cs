using FsCheck.Xunit;
using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>Whatever is changed in a file: it opens with consistent shapes, or fails with the errors that are promised, in little memory.</summary>
public sealed class HostileCheckpointTests : IDisposable
{
    private static readonly LlamaConfig _config = TinyModels.Config with
    {
        HiddenSize = 8,
        IntermediateSize = 12,
        LayerCount = 1,
        HeadCount = 2,
        KeyValueHeadCount = 1,
        HeadSize = 4,
        VocabularySize = 12,
    };

    private readonly TemporaryFolder _single = CheckpointTests.HuggingFace(config: _config), _sharded = CheckpointTests.HuggingFace(1, _config), _meta = new();

    public HostileCheckpointTests()
    {
        using RandomCheckpoint source = TinyModels.Create(config: _config);
        MetaFolder.Write(source, _meta.Path, parts: 1, zip64: true);
    }

    public void Dispose()
    {
        _single.Dispose();
        _sharded.Dispose();
        _meta.Dispose();
    }

    [Property(MaxTest = 300, Replay = "(1,1)")]
    public void Open_ChangedConfig_OpensOrFailsCleanly(int kind, uint place, byte value) => Attack(_single, "config.json", kind, place, value);

    [Property(MaxTest = 150, Replay = "(2,1)")]
    public void Open_ChangedGenerationConfig_OpensOrFailsCleanly(int kind, uint place, byte value) => Attack(_single, "generation_config.json", kind, place, value);

    [Property(MaxTest = 500, Replay = "(3,1)")]
    public void Open_ChangedSafetensors_OpensOrFailsCleanly(int kind, uint place, byte value) => Attack(_single, "model.safetensors", kind, place, value);

    [Property(MaxTest = 150, Replay = "(4,1)")]
    public void Open_ChangedIndex_OpensOrFailsCleanly(int kind, uint place, byte value) => Attack(_sharded, "model.safetensors.index.json", kind, place, value);

    [Property(MaxTest = 150, Replay = "(5,1)")]
    public void Open_ChangedParameters_OpensOrFailsCleanly(int kind, uint place, byte value) => Attack(_meta, "params.json", kind, place, value);

    [Property(MaxTest = 800, Replay = "(6,1)")]
    public void Open_ChangedTorchFile_OpensOrFailsCleanly(int kind, uint place, byte value) => Attack(_meta, "consolidated.00.pth", kind, place, value);

    [Property(MaxTest = 500, Replay = "(7,1)")]
    public void Unpickle_AnyBytes_FailsCleanly(byte[] bytes)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Exception? exception = Record.Exception(() => TorchUnpickler.Read("f", bytes));
        Assert.True(exception is null or CheckpointException, $"{exception}");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, FileAttack.MostBytes);
    }

    private static void Attack(TemporaryFolder folder, string name, int kind, uint place, byte value) =>
        FileAttack.Run(folder, name, kind, place, value, ReadAll);

    private static void ReadAll(string path)
    {
        using var checkpoint = Checkpoint.Open(path);
        checkpoint.Config.Validate(path);
        Assert.Equal(
            TensorNames.Required(checkpoint.Config).Order(),
            checkpoint.Tensors.Values.Select(tensor => (tensor.Name, tensor.Rows, tensor.Columns)).Order());
        foreach (CheckpointTensor tensor in checkpoint.Tensors.Values)
        {
            byte[] row = new byte[tensor.RowBytes];
            tensor.ReadRow(0, row);
            tensor.ReadRow(tensor.Rows - 1, row);
        }
    }
}
