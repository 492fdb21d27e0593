using System.Buffers.Binary;
using FsCheck.Xunit;
using Llama2.Testing;

namespace Llama2.Tests;

/// <summary>Whatever is changed in a file: it opens with consistent shapes, or fails with the errors that are promised, in little memory.</summary>
public sealed class HostileCheckpointTests : IDisposable
{
    private const long MostBytes = 8 << 20;
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
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostBytes);
    }

    private static void Attack(TemporaryFolder folder, string name, int kind, uint place, byte value)
    {
        byte[] original = File.ReadAllBytes(folder[name]);
        File.WriteAllBytes(folder[name], Change(original, kind & 7, place * 2_654_435_761, value));        // spread: small numbers reach the whole file
        try
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Exception? exception = Record.Exception(() => ReadAll(folder.Path));
            Assert.True(exception is null or CheckpointException or IOException, $"{exception}");
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, MostBytes);
        }
        finally
        {
            File.WriteAllBytes(folder[name], original);
        }
    }

    private static byte[] Change(byte[] original, int kind, uint place, byte value)
    {
        int at = (int)(place % original.Length);
        byte[] changed = [.. original, .. new byte[8]];
        switch (kind)
        {
            case 0:
                return original[..at];
            case 1:
                return [.. original[..at], value, .. original[at..]];
            case 2:
                return [.. original[..at], .. original[Math.Min(original.Length, at + 1 + value)..]];
            case 3:
                BinaryPrimitives.WriteInt64LittleEndian(changed.AsSpan(at), long.MaxValue);
                break;
            case 4:
                BinaryPrimitives.WriteInt64LittleEndian(changed.AsSpan(at), -1 - value);
                break;
            case 5:
                changed[at] = (byte)('0' + value % 10);
                break;
            case 6:
                changed[at] ^= (byte)(1 << (value & 7));
                break;
            default:
                changed[at] = value;
                break;
        }

        return changed[..original.Length];
    }

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
