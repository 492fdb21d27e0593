using Llama2.Testing;

namespace Llama2.Tests;

public class HuggingFaceFolderTests
{
    [Theory]
    [InlineData(WeightFormat.F32, 1L << 40, 1)]
    [InlineData(WeightFormat.F32, 100_000, 5)]
    [InlineData(WeightFormat.F32, 1, 21)]
    public void Write_F32_ReadsBackTheSame(WeightFormat format, long shardBytes, int files)
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        HuggingFaceFolder.Write(source, folder["model"], format, shardBytes);
        Assert.Equal(files, Directory.GetFiles(folder["model"], "*.safetensors").Length);
        Assert.Equal(files > 1, File.Exists(folder["model/model.safetensors.index.json"]));
        using var checkpoint = Checkpoint.Open(folder["model"]);
        Assert.Equal("Hugging Face", checkpoint.Layout);
        Assert.Equal(source.Config with { EndOfTextIds = checkpoint.Config.EndOfTextIds }, checkpoint.Config);
        Rows.AssertEqual(source, checkpoint);
        Assert.Equal([folder["model"]], Directory.GetFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData(WeightFormat.F16, 1f / 2048)]
    [InlineData(WeightFormat.BF16, 1f / 256)]
    public void Write_HalfPrecision_RoundsToIt(WeightFormat format, float relative)
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        HuggingFaceFolder.Write(source, folder["model"], format);
        using var checkpoint = Checkpoint.Open(folder["model"]);
        foreach ((string name, CheckpointTensor tensor) in source.Tensors)
        {
            Assert.Equal(format, checkpoint.Tensors[name].Format);
            float[] expected = Rows.Read(tensor, 0), actual = Rows.Read(checkpoint.Tensors[name], 0);
            Assert.All(expected.Zip(actual), pair => Assert.True(MathF.Abs(pair.First - pair.Second) <= relative * MathF.Abs(pair.First) + 1e-6f, $"{pair}"));
        }
    }

    [Fact]
    public void Write_EveryField_ReadsBackTheSame()
    {
        using var folder = new TemporaryFolder();
        LlamaConfig config = TinyModels.Config with
        {
            HeadSize = 32,
            RopeTheta = 1e6f,
            RopeScaling = new(RopeScalingKind.Dynamic, 2.5f),
            TieWordEmbeddings = true,
            BeginOfTextId = 5,
            EndOfTextIds = [2, 7],
        };
        using RandomCheckpoint source = TinyModels.Create(config: config);
        HuggingFaceFolder.Write(source, folder["a"], WeightFormat.F32);
        File.WriteAllText(
            folder["a/generation_config.json"],
            """
            {"do_sample": false, "temperature": 0.5, "top_k": 3, "top_p": 0.75, "min_p": 0.25, "typical_p": 0.5, "repetition_penalty": 1.5,
             "no_repeat_ngram_size": 4, "max_new_tokens": 5, "min_new_tokens": 1, "eos_token_id": [7, 9]}
            """);
        using var first = Checkpoint.Open(folder["a"]);
        HuggingFaceFolder.Write(first, folder["b"], WeightFormat.F32);
        using var second = Checkpoint.Open(folder["b"]);
        Assert.Equal([2, 7, 9], second.Config.EndOfTextIds);
        Assert.Equal(config with { EndOfTextIds = second.Config.EndOfTextIds }, second.Config);
        Assert.Equal(
            new GenerationOptions
            {
                DoSample = false,
                Temperature = 0.5f,
                TopK = 3,
                TopP = 0.75f,
                MinP = 0.25f,
                TypicalP = 0.5f,
                RepetitionPenalty = 1.5f,
                NoRepeatNgramSize = 4,
                MaxNewTokens = 5,
                MinNewTokens = 1,
            },
            second.GenerationDefaults);
        Rows.AssertEqual(first, second);
    }

    [Fact]
    public void Write_Tokenizer_ReadsBackTheSame()
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        HuggingFaceFolder.Write(source, folder["model"], WeightFormat.F32);
        using var checkpoint = Checkpoint.Open(folder["model"]);
        LlamaTokenizer expected = source.LoadTokenizer()!, actual = checkpoint.LoadTokenizer()!;
        Assert.Equal(expected.Vocabulary, actual.Vocabulary);
        Assert.Equal(expected.Encode("a cab, a bad fee"), actual.Encode("a cab, a bad fee"));
        Assert.Contains("\"bos_token\": \"<s>\"", File.ReadAllText(folder["model/tokenizer_config.json"]));
    }

    [Fact]
    public void LoadTokenizer_LargerThanTheModel_IsRefused()
    {
        using TemporaryFolder small = CheckpointTests.HuggingFace(), large = CheckpointTests.HuggingFace(config: TinyModels.Config with { VocabularySize = 321 });
        File.Copy(large["tokenizer.model"], small["tokenizer.model"], overwrite: true);
        using var checkpoint = Checkpoint.Open(small.Path);
        Assert.Equal("tokenizer", Assert.Throws<CheckpointException>(() => checkpoint.LoadTokenizer()).Field);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Write_EndIds_ReadBackTheSame(int count)
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create(config: TinyModels.Config with { EndOfTextIds = [.. Enumerable.Repeat(9, count)] });
        HuggingFaceFolder.Write(source, folder["model"], WeightFormat.F32);
        using var checkpoint = Checkpoint.Open(folder["model"]);
        Assert.Equal(source.Config.EndOfTextIds, checkpoint.Config.EndOfTextIds);
    }

    [Fact]
    public void Write_EmptyFolder_IsTaken()
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        Directory.CreateDirectory(folder["model"]);
        HuggingFaceFolder.Write(source, folder["model/"], WeightFormat.F32);
        Assert.True(File.Exists(folder["model/model.safetensors"]));
    }

    [Fact]
    public void Write_Progress_EndsAtTheTotal()
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        var reports = new Reports();
        HuggingFaceFolder.Write(source, folder["model"], WeightFormat.F16, reports);
        Assert.Equal(source.Tensors.Count, reports.All.Count);
        Assert.Equal(source.Config.ParameterCount * 2, reports.All[^1].LoadedBytes);
        Assert.All(reports.All, report => Assert.Equal(source.Config.ParameterCount * 2, report.TotalBytes));
    }

    [Fact]
    public void Write_Cancelled_LeavesNothing()
    {
        using var folder = new TemporaryFolder();
        using var cancellation = new CancellationTokenSource();
        using RandomCheckpoint source = TinyModels.Create();
        var reports = new Reports { Then = cancellation.Cancel };
        Assert.Throws<OperationCanceledException>(() => HuggingFaceFolder.Write(source, folder["model"], WeightFormat.F32, reports, cancellation.Token));
        Assert.Single(reports.All);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Write_FolderWithContent_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        File.WriteAllText(folder["note.txt"], "mine");
        Assert.Throws<IOException>(() => HuggingFaceFolder.Write(source, folder.Path, WeightFormat.F32));
        Assert.Throws<IOException>(() => HuggingFaceFolder.Write(source, folder["note.txt"], WeightFormat.F32));
        Assert.Equal([folder["note.txt"]], Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Write_BlockFormat_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using RandomCheckpoint source = TinyModels.Create();
        Assert.Throws<ArgumentException>(() => HuggingFaceFolder.Write(source, folder["model"], WeightFormat.Q8_0));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    private sealed class Reports : IProgress<LoadProgress>
    {
        public List<LoadProgress> All { get; } = [];

        public Action? Then { get; init; }

        public void Report(LoadProgress value)
        {
            All.Add(value);
            Then?.Invoke();
        }
    }
}
