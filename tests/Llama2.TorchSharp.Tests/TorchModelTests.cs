using Llama2.Testing;

namespace Llama2.TorchSharp.Tests;

/// <summary>The engine, as any caller meets it, on this backend.</summary>
public class TorchModelTests
{
    private static readonly GenerationOptions _greedy = new() { DoSample = false, MaxNewTokens = 24, IgnoreEos = true };

    [Fact]
    public async Task Generate_ManyRequestsAtATime_TextsOfTheCpuBackend()
    {
        int[][] prompts = [[1, 9, 300], [1, 44, 260, 260, 7, 12, 13], [1], [1, 9, 300, 5]];
        using LlamaModel ours = LlamaModel.Load(TinyModels.Create(), new LlamaModelOptions().UseTorchSharp(TestDevice.Name)), cpu = LlamaModel.Load(TinyModels.Create());
        Assert.StartsWith("libtorch", ours.Info.Kernels, StringComparison.Ordinal);
        string[] together = await Task.WhenAll(prompts.Select(prompt => GenerateAsync(ours, prompt)));
        string[] expected = await Task.WhenAll(prompts.Select(prompt => GenerateAsync(cpu, prompt)));
        Assert.Equal(expected, together);
    }

    [Fact]
    public async Task Generate_Cancelled_EndsAndTheEngineGoesOn()
    {
        using LlamaModel model = LlamaModel.Load(TinyModels.Create(), new LlamaModelOptions().UseTorchSharp(TestDevice.Name));
        using var source = new CancellationTokenSource();
        int seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (GenerationUpdate update in model.Engine.GenerateAsync([1, 9], _greedy with { MaxNewTokens = 200 }, source.Token))
            {
                if (++seen == 3)
                {
                    await source.CancelAsync();
                }
            }
        });
        Assert.InRange(seen, 3, 199);
        Assert.Equal(24, (await CountAsync(model)));
    }

    [Fact]
    public async Task LoadAdapter_BesideTheWeights_RequestsChooseIt()
    {
        using LlamaModel model = LlamaModel.Load(TinyModels.Create(), new LlamaModelOptions().UseTorchSharp(TestDevice.Name));
        string bare = await GenerateAsync(model, [1, 9, 300]);
        model.LoadAdapter("tiny", TinyAdapters.Create());
        Assert.True(model.Info.AdapterBytes > 0);
        Assert.NotEqual(bare, await GenerateAsync(model, [1, 9, 300], _greedy with { Adapter = "tiny" }));
        Assert.Equal(bare, await GenerateAsync(model, [1, 9, 300]));
        Assert.True(model.UnloadAdapter("tiny"));
    }

    private static async Task<string> GenerateAsync(LlamaModel model, int[] prompt, GenerationOptions? options = null)
    {
        string text = "";
        await foreach (GenerationUpdate update in model.Engine.GenerateAsync(prompt, options ?? _greedy))
        {
            text += update.Text;
        }

        return text;
    }

    private static async Task<int> CountAsync(LlamaModel model)
    {
        int tokens = 0;
        await foreach (GenerationUpdate update in model.Engine.GenerateAsync([1, 9], _greedy))
        {
            tokens = update.Result?.TokenIds.Count ?? tokens;
        }

        return tokens;
    }
}
