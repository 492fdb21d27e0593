using System.Text.Json;
using Llama2.Testing;
using Llama2.Tests;

namespace Llama2.TorchSharp.Tests;

/// <summary>The real small model against llama2.c and float64 figures; what produced them stands in the data's README.</summary>
public class TorchGoldenTests
{
    [SharedDataTheory]
    [InlineData("stories260K", null, "logits_runc", 1e-4)]
    [InlineData("stories260K", null, "logits_f64", 1e-4)]
    [InlineData("stories260K-f16-untied", WeightFormat.F32, "logits_f64_f16", 1e-4)]
    [InlineData("stories260K-bf16-sharded", WeightFormat.F32, "logits_f64_bf16", 1e-4)]
    [InlineData("stories260K-f16-untied", null, "logits_f64_f16", 0.1)]
    [InlineData("stories260K-bf16-sharded", null, "logits_f64_bf16", 0.4)]
    public void Forward_GoldenPrompts_EqualLogits(string model, WeightFormat? format, string column, double tolerance)
    {
        var golden = new GoldenTensors(TestData.Path("models/stories260K_golden_logits.safetensors"));
        using Checkpoint checkpoint = Checkpoint.Open(TestData.Path("models/" + model));
        using var backend = TorchBackend.Load(checkpoint, new LlamaModelOptions { WeightFormat = format }, TorchDevice.Parse(TestDevice.Name));
        int rows = 0;
        for (int prompt = 0; golden.Contains($"p{prompt}.input_ids"); prompt++)
        {
            if (golden.Contains($"p{prompt}.{column}"))
            {
                rows += GoldenAssert.Close(golden.Rows($"p{prompt}.{column}"), backend.Logits(golden.Integers($"p{prompt}.input_ids")), tolerance);
            }
        }

        Assert.True(rows >= 4 * 24, $"only {rows} rows were compared");
    }

    [SharedDataFact]
    public void Forward_GoldenPrompts_SameGreedyTokens()
    {
        using Checkpoint checkpoint = Checkpoint.Open(TestData.Path("models/stories260K"));
        using TorchBackend backend = TestDevice.Load(checkpoint);
        foreach (JsonElement row in TestData.Rows("models/stories260K_golden_greedy.jsonl"))
        {
            int[] prompt = GoldenAssert.Integers(row, "prompt_ids"), expected = GoldenAssert.Integers(row, "new_ids");
            Assert.Equal(expected, backend.Greedy(prompt, expected.Length));
        }
    }

    [SharedDataFact]
    public async Task Generate_DocumentedStory_ByteForByte()
    {
        using LlamaModel model = LlamaModel.Load(TestData.Path("models/stories260K"), new LlamaModelOptions().UseTorchSharp(TestDevice.Name));
        var options = new GenerationOptions { DoSample = false, MaxNewTokens = 256, StopTokenIds = [1] };
        string text = "";
        await foreach (GenerationUpdate update in model.Engine.GenerateAsync([model.Tokenizer.BeginOfTextId], options))
        {
            text += update.Text;
        }

        Assert.Equal(File.ReadAllText(TestData.Path("models/stories260K_doc_greedy.txt")), text + "\n");
    }
}
