namespace Llama2.Training.Tests;

public sealed class TrainingSequenceTests
{
    [Fact]
    public void Constructor_LengthsThatContradictEachOther_AreRefused()
    {
        Assert.Equal("tokens", Assert.Throws<ArgumentException>(() => new TrainingSequence(Array.Empty<int>(), Array.Empty<bool>())).ParamName);
        Assert.Equal("inLoss", Assert.Throws<ArgumentException>(() => new TrainingSequence(new int[3], new bool[2])).ParamName);
        Assert.Equal("segmentLengths", Assert.Throws<ArgumentException>(() => new TrainingSequence(new int[3], new bool[3], new[] { 2 })).ParamName);
        Assert.Equal("segmentLengths", Assert.Throws<ArgumentException>(() => new TrainingSequence(new int[3], new bool[3], new[] { 3, 0 })).ParamName);
        Assert.Equal([3], new TrainingSequence(new int[3], new bool[3]).SegmentLengths.ToArray());
    }

    [Fact]
    public void Create_PackedRow_RestartsPositionsAndDropsFirstTokens()
    {
        var packed = new TrainingSequence(new[] { 5, 6, 7, 8, 9 }, new[] { true, true, true, false, true }, new[] { 2, 3 });
        var single = new TrainingSequence(new[] { 4, 3 }, new[] { true, true });
        TrainingBatch batch = TrainingBatch.Create([packed, single], SmallModels.Odd);
        Assert.Equal([5, 6, 7, 8, 9, 4, 3], batch.Tokens);
        Assert.Equal([0, 1, 0, 1, 2, 0, 1], batch.Positions);
        Assert.Equal([(0, 2), (2, 3), (5, 2)], batch.Segments);
        Assert.Equal([0, 3, 5], batch.TargetRows);
        Assert.Equal([6, 9, 3], batch.Targets);
    }

    [Fact]
    public void Create_TooLongOrOutsideTheVocabulary_SaysWhich()
    {
        LlamaConfig config = SmallModels.Odd;
        var tooLong = new TrainingSequence(new int[129], new bool[129]);
        var packed = new TrainingSequence(new int[129], new bool[129], new[] { 100, 29 });
        Assert.Contains("129", Assert.Throws<ArgumentException>(() => TrainingBatch.Create([tooLong], config)).Message, StringComparison.Ordinal);
        Assert.Equal(129, TrainingBatch.Create([packed], config).Tokens.Length);
        foreach (int token in new[] { -1, 37 })
        {
            var outside = new TrainingSequence(new[] { token }, new[] { true });
            Assert.Contains($"{token}", Assert.Throws<ArgumentException>(() => TrainingBatch.Create([outside], config)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Read_Shuffled_EveryEpochHasAnotherOrderAndSkipsInIt()
    {
        TrainingSequence[] sequences = [.. Enumerable.Range(0, 50).Select(i => new TrainingSequence(new[] { i }, new[] { true }))];
        var data = new InMemoryTrainingData(sequences, shuffleSeed: 3);
        int[] first = Order(0), second = Order(1);
        Assert.Equal(50, data.Count);
        Assert.Equal(first, Order(0));
        Assert.NotEqual(first, second);
        Assert.Equal(Enumerable.Range(0, 50), first.Order());
        Assert.Equal(first.Skip(20), data.Read(0, skip: 20).Select(sequence => sequence.Tokens.Span[0]));
        Assert.Empty(data.Read(0, skip: 60));
        Assert.Equal(sequences, new InMemoryTrainingData(sequences).Read(7));

        int[] Order(int epoch) => [.. data.Read(epoch).Select(sequence => sequence.Tokens.Span[0])];
    }

    [Fact]
    public void Validate_ModelOptionsThatContradictEachOther_AreRefused()
    {
        Assert.Equal("BaseFormat", Assert.Throws<ArgumentException>(() => new TrainableModelOptions { BaseFormat = WeightFormat.Q8_0 }.Validate()).ParamName);
        Assert.Equal(
            "BaseFormat", Assert.Throws<ArgumentException>(() => new TrainableModelOptions { Lora = new(), BaseFormat = WeightFormat.F16 }.Validate()).ParamName);
        Assert.Equal("Threads", Assert.Throws<ArgumentException>(() => new TrainableModelOptions { Threads = 0 }.Validate()).ParamName);
        Assert.Equal("options", Assert.Throws<ArgumentException>(() => TrainableModel.Create(SmallModels.Odd, new() { Lora = new() })).ParamName);
        using TrainableModel model = TrainableModel.Create(SmallModels.Odd);
        using TrainableModel adapted = GradientTests.Model(SmallModels.Odd, new() { Lora = new() });
        Assert.Null(model.Adapter);
        Assert.Throws<ArgumentException>(() => model.LoadAdapter(adapted.Adapter!));
    }
}
